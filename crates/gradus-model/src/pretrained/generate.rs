use gradus::lm::{Capabilities, Generate, Generated, LmError, Request, Sampling, Sink};

use super::reading::Reading;
use super::{Pretrained, with_engine};
use crate::sampler::{Queue, Sampler};

/// Most sequences side by side.
const TILE: usize = 64;

impl Generate for Pretrained {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { seeds: true, log_probs: true, prefix: true }
    }

    /// Requests that share a prompt should follow each other: it is then read
    /// and kept once. As many sequences go side by side as the budget has room for.
    fn generate(
        &self,
        requests: &[Request],
        sampling: &Sampling,
        sink: &mut Sink<'_, Generated>,
    ) -> Result<(), LmError> {
        let (mut longest, mut distinct) = (1, 0);
        let mut last = None;
        for request in requests {
            let shown = (&request.prompt, &request.prefix);
            if last != Some(shown)
                && let Ok((prompt, prefix)) =
                    self.language().continued(&request.prompt, &request.prefix)
            {
                distinct += 1;
                longest = longest.max(prompt.len() + prefix.len());
            }
            last = Some(shown);
        }
        let shape = self.shape();
        let prompts = (longest.min(shape.longest), distinct);
        let places = shape
            .places(prompts, sampling.max_tokens, TILE.min(requests.len().max(1)), self.budget)
            .map_err(|reason| self.failed(&reason))?;
        let queue = Queue::new(requests);
        let mut emit = |index: usize, row| sink(requests[index].key.clone(), row);
        with_engine!(self, engine => {
            let reading = Reading::new(engine);
            Sampler::new(reading, self.language(), sampling, &queue, places).run(&mut emit)
        })
        .map_err(|error| self.failed(&error))
    }
}
