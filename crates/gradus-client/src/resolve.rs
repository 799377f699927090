use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// How long an answer is used.
const FRESH: Duration = Duration::from_mins(1);

/// Looks the server's name up once a minute and not for every request, for which the usual
/// resolver starts a thread each time: half of the whole cost of a request on loopback.
#[derive(Debug, Default)]
pub(crate) struct Remembering {
    usual: DefaultResolver,
    known: Mutex<Option<Known>>,
}

#[derive(Debug)]
struct Known {
    authority: String,
    addresses: Vec<SocketAddr>,
    since: Instant,
}

impl Resolver for Remembering {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = |known: &&Known| known.authority == authority && known.since.elapsed() < FRESH;
        if let Some(known) = known().as_ref().filter(fresh) {
            let mut addresses = self.empty();
            known.addresses.iter().for_each(|&address| addresses.push(address));
            return Ok(addresses);
        }
        let addresses = self.usual.resolve(uri, config, timeout)?;
        *known() = Some(Known {
            authority: authority.to_owned(),
            addresses: addresses.to_vec(),
            since: Instant::now(),
        });
        Ok(addresses)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_looked_up_once() {
        let resolver = Remembering::default();
        let at = |uri: &str| {
            let config = ureq::Agent::config_builder().build();
            let timeout = NextTimeout {
                after: Duration::from_secs(5).into(),
                reason: ureq::Timeout::Global,
                ..NextTimeout::default()
            };
            resolver.resolve(&uri.parse().unwrap(), &config, timeout).unwrap().to_vec()
        };
        assert_eq!(at("http://127.0.0.1:81/v1"), ["127.0.0.1:81".parse().unwrap()]);
        let since = resolver.known.lock().unwrap().as_ref().unwrap().since;
        assert_eq!(at("http://127.0.0.1:81/v1/models").len(), 1);
        assert_eq!(resolver.known.lock().unwrap().as_ref().unwrap().since, since);
        assert_eq!(at("http://127.0.0.2:82/v1"), ["127.0.0.2:82".parse().unwrap()]);
    }
}
