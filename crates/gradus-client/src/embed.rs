use std::ops::ControlFlow;

use gradus::lm::{Embed, LmError, Pooling};
use serde::Deserialize;

use super::budget::Tokens;
use super::call::{self, Call, Message, NoAnswer};
use super::server::{Server, most_tokens, to_bytes};
use super::wire::{self, UsageReply};

#[derive(Deserialize)]
struct EmbeddingReply {
    data: Vec<VectorReply>,
    usage: Option<UsageReply>,
}

#[derive(Deserialize)]
struct VectorReply {
    index: Option<usize>,
    embedding: Vec<f32>,
}

/// Vectors by their index, one for each of `count` texts, all of one length and finite.
fn vectors(reply: Vec<VectorReply>, count: usize) -> Result<Vec<Vec<f32>>, String> {
    if reply.len() != count {
        return Err(format!("malformed answer: {} vectors for {count} texts", reply.len()));
    }
    let mut placed: Vec<Option<Vec<f32>>> = vec![None; count];
    for vector in reply {
        let index = vector.index.ok_or("malformed answer: a vector without an index")?;
        let place = placed.get_mut(index);
        let place =
            place.ok_or_else(|| format!("malformed answer: a vector with index {index}"))?;
        if vector.embedding.is_empty() || vector.embedding.iter().any(|value| !value.is_finite()) {
            return Err(format!("malformed answer: vector {index} is empty or not finite"));
        }
        if place.replace(vector.embedding).is_some() {
            return Err(format!("malformed answer: two vectors with index {index}"));
        }
    }
    let vectors: Vec<Vec<f32>> = placed.into_iter().flatten().collect();
    if let Some(other) = vectors.iter().find(|vector| vector.len() != vectors[0].len()) {
        let (one, other) = (vectors[0].len(), other.len());
        return Err(format!("malformed answer: vectors of length {one} and {other}"));
    }
    Ok(vectors)
}

impl Server {
    fn vectors(&self, texts: &[&str], call: &Call<'_>) -> Result<Vec<Vec<f32>>, NoAnswer> {
        let mut body = self.body();
        body.insert("input".into(), texts.into());
        body.insert("encoding_format".into(), "float".into());
        let prompt = texts.iter().map(|text| most_tokens(text.len(), 0)).sum();
        let message = Message {
            url: self.http.endpoint("embeddings"),
            body: Some(to_bytes(&body)),
            worst: Tokens { prompt, completion: 0 },
            attempts: self.config.attempts,
            probe: false,
        };
        call.ask(&message, |bytes| {
            let reply: EmbeddingReply = wire::json(bytes)?;
            let spent = reply.usage.and_then(UsageReply::tokens);
            Ok((vectors(reply.data, texts.len())?, spent))
        })
    }
}

/// Embeds over `/embeddings`, several texts in a request. Layer and pooling are the server's.
impl Embed for Server {
    fn embed(
        &self,
        texts: &[&str],
        layer: Option<&str>,
        pooling: Pooling,
    ) -> Result<Vec<Vec<f32>>, LmError> {
        if let Some(layer) = layer {
            return Err(self.unsupported(format!("read the layer {layer:?}")));
        }
        if pooling != Pooling::Own {
            return Err(self.unsupported("pool otherwise than it does of itself"));
        }
        let jobs: Vec<&[&str]> = texts.chunks(self.config.embeddings_per_request).collect();
        let jobs: Vec<(usize, &[&str])> = jobs.into_iter().enumerate().collect();
        let mut parts: Vec<Option<Vec<Vec<f32>>>> = vec![None; jobs.len()];
        let work = |job: &(usize, &[&str]), call: &Call<'_>, emit: &mut call::Emit<'_, _>| {
            _ = emit((job.0, self.vectors(job.1, call)?));
            Ok(())
        };
        call::each(self, &jobs, work, |(part, vectors)| {
            parts[part] = Some(vectors);
            ControlFlow::Continue(())
        })?;
        let whole: Option<Vec<_>> = parts.into_iter().collect();
        let vectors: Vec<Vec<f32>> =
            whole.ok_or_else(|| self.failed("interrupted".into()))?.concat();
        if let Some(other) = vectors.iter().find(|vector| vector.len() != vectors[0].len()) {
            let (one, other) = (vectors[0].len(), other.len());
            return Err(self.failed(format!("vectors of length {one} and {other}")));
        }
        Ok(vectors)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str, count: usize) -> Result<Vec<Vec<f32>>, String> {
        vectors(wire::json::<EmbeddingReply>(body.as_bytes())?.data, count)
    }

    #[test]
    fn vectors_are_placed_by_their_index() {
        let body = r#"{"data": [{"index": 1, "embedding": [3, 4]},
                                {"index": 0, "embedding": [1.5, 2]}]}"#;
        assert_eq!(read(body, 2).unwrap(), [[1.5, 2.0], [3.0, 4.0]]);
    }

    #[test]
    fn wrong_counts_indexes_and_lengths_are_faults() {
        for (data, expected) in [
            (r#"{"index": 0, "embedding": [1]}"#, "1 vectors for 2 texts"),
            (
                r#"{"index": 0, "embedding": [1]}, {"index": 0, "embedding": [1]}"#,
                "two vectors with index 0",
            ),
            (r#"{"index": 0, "embedding": [1]}, {"index": 9, "embedding": [1]}"#, "index 9"),
            (
                r#"{"index": 0, "embedding": [1]}, {"index": 1, "embedding": [1, 2]}"#,
                "length 1 and 2",
            ),
            (r#"{"index": 0, "embedding": [1]}, {"index": 1, "embedding": []}"#, "is empty"),
        ] {
            let error = read(&format!(r#"{{"data": [{data}]}}"#), 2).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
