use std::ops::ControlFlow;
use std::sync::mpsc;

use gradus::lm::{Capabilities, Generate, Generated, LmError, Request, Sampling, Sink};

use crate::decoding::Decoding;
use crate::language::Language;
use crate::packed::PackedWeights;
use crate::sampler::{Emit, Queue, Sampler};
use crate::{LocalModel, ModelError};

/// Sequences that a thread samples side by side.
const TILE: usize = 64;

impl Generate for LocalModel {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { seeds: true, log_probs: true, prefix: true }
    }

    /// Samples on as many threads as rayon has. A row depends on its request,
    /// the sampling and the weights alone, to the bit: not on threads, not on
    /// the rows beside it.
    fn generate(
        &self,
        requests: &[Request],
        sampling: &Sampling,
        sink: &mut Sink<'_, Generated>,
    ) -> Result<(), LmError> {
        let mut weights = PackedWeights::default();
        weights.fill(&self.decoder, false).map_err(|error| self.failed(&error))?;
        let queue = Queue::new(requests);
        let work = |emit: &mut Emit<'_>| {
            let decoding = Decoding::new(self.decoder.config(), &weights);
            Sampler::new(decoding, self.language(), sampling, &queue, TILE).run(emit)
        };
        let threads = rayon::current_num_threads().min(requests.len().div_ceil(TILE)).max(1);
        if threads == 1 {
            return work(&mut |index, row| sink(requests[index].key.clone(), row))
                .map_err(|error| self.failed(&error));
        }
        let (sender, receiver) = mpsc::channel();
        let ended = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..threads)
                .map(|_| {
                    let sender = sender.clone();
                    scope.spawn(move || {
                        work(&mut |index, row| match sender.send((index, row)) {
                            Ok(()) => ControlFlow::Continue(()),
                            Err(_) => ControlFlow::Break(()),
                        })
                    })
                })
                .collect();
            drop(sender);
            // Leaving the loop drops the receiver, which stops the threads.
            for (index, row) in receiver {
                if sink(requests[index].key.clone(), row).is_break() {
                    queue.stop();
                    break;
                }
            }
            threads.into_iter().try_for_each(|thread| {
                thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
        });
        ended.map_err(|error| self.failed(&error))
    }
}

impl LocalModel {
    pub(crate) fn failed(&self, error: &ModelError) -> LmError {
        LmError::Failed { model: self.name.clone(), reason: error.to_string() }
    }

    pub(crate) fn language(&self) -> Language<'_> {
        let config = self.decoder.config();
        Language {
            tokenizer: &self.tokenizer,
            template: None,
            vocabulary: config.vocab_size,
            longest: config.max_position_embeddings,
            never: self.tokenizer.padding(),
        }
    }
}
