use std::io::Read;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use serde::Deserialize;
use ureq::http::Uri;
use ureq::tls::{RootCerts, TlsConfig};
use ureq::unversioned::transport::DefaultConnector;
use ureq::{Agent, Timeout};

use super::config::Config;
use super::key::{Key, VARIABLE};
use super::resolve::Remembering;
use super::retry;

/// Where the server is when neither the config nor the environment says so.
const OPENAI: &str = "https://api.openai.com/v1";
const BASE_VARIABLE: &str = "OPENAI_BASE_URL";
/// Most of an error's page that is read, in bytes.
const LONGEST_ERROR: u64 = 64 << 10;
/// Most of a server's text that is quoted, in characters.
const LONGEST_QUOTE: usize = 300;

/// Sends single requests; connections are kept for the next ones.
pub(crate) struct Http {
    agent: Mutex<Agent>,
    settings: ureq::config::Config,
    max_response_bytes: u64,
    key: Key,
    /// Address up to and with `/v1`, without a slash at the end.
    base: String,
}

impl std::fmt::Debug for Http {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Http").field("base", &self.base).finish_non_exhaustive()
    }
}

/// A request failed.
#[derive(Debug)]
pub(crate) enum Failed {
    /// Another attempt may succeed.
    Passing {
        reason: String,
        /// What the server asks to wait.
        wait: Option<Duration>,
        /// Whether the server may have done the work and counted it.
        billed: bool,
    },
    /// This request is refused; others may not be.
    Refused(String),
    /// The answer is there, and longer than is read.
    TooLong(String),
    /// There is no such model or endpoint.
    Missing(String),
    /// No request can succeed.
    Gone(String),
}

impl Http {
    pub(crate) fn new(config: &Config, key: Key) -> Result<Self, String> {
        let base = base_url(&config.base_url)?;
        let timeout = Duration::from_secs_f64(config.timeout_seconds);
        let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
        let settings = Agent::config_builder()
            .timeout_global(Some(timeout))
            .timeout_connect(Some(timeout.min(Duration::from_secs(10))))
            .http_status_as_error(false)
            // A redirect would carry prompts, and perhaps the key, to another place.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .max_idle_connections(config.max_connections)
            .max_idle_connections_per_host(config.max_connections)
            .proxy(None)
            .tls_config(tls)
            .user_agent(concat!("gradus/", env!("CARGO_PKG_VERSION")))
            .build();
        let agent = Mutex::new(fresh_agent(&settings));
        let max_response_bytes = config.max_response_bytes;
        Ok(Self { agent, settings, max_response_bytes, key, base })
    }

    /// Address of an endpoint below `/v1`.
    pub(crate) fn endpoint(&self, path: &str) -> String {
        format!("{}/{path}", self.base)
    }

    /// Address of an endpoint beside `/v1`, where vLLM has those that are not OpenAI's.
    pub(crate) fn root_endpoint(&self, path: &str) -> String {
        format!("{}/{path}", self.base.strip_suffix("/v1").unwrap_or(&self.base))
    }

    /// Interrupts every request under way; later ones are not touched.
    pub(crate) fn interrupt(&self) {
        let fresh = fresh_agent(&self.settings);
        let mut agent = self.agent.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *agent, fresh).shutdown();
    }

    /// Sends `body`, or asks with GET without one; gives the whole body of a 2xx answer.
    pub(crate) fn send(&self, url: &str, body: Option<&[u8]>) -> Result<Vec<u8>, Failed> {
        let agent = self.agent.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut request = ureq::http::Request::builder().uri(url);
        if let Some(header) = self.key.header() {
            request = request.header("Authorization", header);
        }
        let sent = if let Some(body) = body {
            let request = request.method("POST").header("Content-Type", "application/json");
            request.body(body).map_err(ureq::Error::from).and_then(|request| agent.run(request))
        } else {
            request.body(()).map_err(ureq::Error::from).and_then(|request| agent.run(request))
        };
        let mut answer = sent.map_err(|error| self.failed(&error))?;
        let status = answer.status().as_u16();
        if (200..300).contains(&status) {
            let body = answer.body_mut().with_config().limit(self.max_response_bytes);
            return body.read_to_vec().map_err(|error| self.failed(&error));
        }
        let header = |name: &str| {
            let value = answer.headers().get(name)?.to_str().ok()?;
            Some(value.to_owned())
        };
        let (milliseconds, after) = (header("retry-after-ms"), header("retry-after"));
        let location = header("location");
        let mut page = Vec::new();
        // A page that breaks off says as much as it says.
        _ = answer.body_mut().as_reader().take(LONGEST_ERROR).read_to_end(&mut page);
        let wait = retry::asked(milliseconds.as_deref(), after.as_deref(), SystemTime::now());
        Err(self.by_status(status, &page, location.as_deref(), wait))
    }

    fn by_status(
        &self,
        status: u16,
        page: &[u8],
        location: Option<&str>,
        wait: Option<Duration>,
    ) -> Failed {
        let told = ErrorPage::read(page);
        let message = self.quote(told.message.as_bytes());
        let reason = format!("status {status}: {message}");
        match status {
            300..=399 => Failed::Gone(format!(
                "status {status}: the server redirects to {}; nothing is sent there, so give \
                 that address as base_url if it is right",
                self.quote(location.unwrap_or("no address").as_bytes())
            )),
            401 | 403 => Failed::Gone(format!(
                "{reason} ({VARIABLE} is {})",
                if self.key.is_set() { "set" } else { "not set" }
            )),
            404 => Failed::Missing(reason),
            429 if told.code == "insufficient_quota" => Failed::Gone(reason),
            408 | 409 | 429 | 500 | 502..=504 | 507..=599 => match wait {
                Some(wait) if wait > retry::LONGEST_ASKED => Failed::Refused(format!(
                    "{reason} (Retry-After asks for {} s, and at most {} s are waited)",
                    wait.as_secs(),
                    retry::LONGEST_ASKED.as_secs()
                )),
                wait => Failed::Passing { reason, wait, billed: false },
            },
            _ => Failed::Refused(reason),
        }
    }

    fn failed(&self, error: &ureq::Error) -> Failed {
        let passing = |reason: String, billed: bool| Failed::Passing { reason, wait: None, billed };
        match error {
            ureq::Error::BodyExceedsLimit(_) => Failed::TooLong(format!(
                "the answer is longer than max_response_bytes ({})",
                self.max_response_bytes
            )),
            ureq::Error::Timeout(Timeout::Resolve | Timeout::Connect) => {
                passing("no connection in time".into(), false)
            }
            ureq::Error::Timeout(_) => passing(
                format!(
                    "no complete answer within timeout_seconds ({})",
                    self.settings.timeouts().global.unwrap_or_default().as_secs_f64()
                ),
                true,
            ),
            ureq::Error::HostNotFound => passing("the host is not known".into(), false),
            ureq::Error::Io(io) if io.kind() == std::io::ErrorKind::ConnectionRefused => {
                passing("the connection is refused".into(), false)
            }
            ureq::Error::ConnectionFailed => passing("no connection".into(), false),
            ureq::Error::Tls(_) | ureq::Error::Rustls(_) | ureq::Error::TlsRequired => {
                Failed::Gone(format!("no safe connection: {error}"))
            }
            // As the system's verifier says it, inside an error of the handshake.
            ureq::Error::Io(io) if io.to_string().starts_with("invalid peer certificate") => {
                Failed::Gone(format!("no safe connection: {io}"))
            }
            other => passing(format!("the answer broke off: {other}"), true),
        }
    }

    /// The beginning of a server's text on one line, with the key taken out; of a page of
    /// HTML its title.
    pub(crate) fn quote(&self, bytes: &[u8]) -> String {
        let text = String::from_utf8_lossy(&bytes[..bytes.len().min(LONGEST_ERROR as usize)]);
        let title = text.split_once("<title>").and_then(|(_, rest)| rest.split_once("</title>"));
        let shown = title.map_or(&*text, |(title, _)| title);
        let line = self.key.without(&shown.split_whitespace().collect::<Vec<_>>().join(" "));
        let mut cut: String = line.chars().take(LONGEST_QUOTE).collect();
        if cut.len() < line.len() {
            cut.push_str("...");
        }
        match title {
            Some(_) => format!("a page of HTML with the title {cut:?}"),
            None if cut.is_empty() => "an empty answer".into(),
            None => cut,
        }
    }
}

fn fresh_agent(settings: &ureq::config::Config) -> Agent {
    Agent::with_parts(settings.clone(), DefaultConnector::default(), Remembering::default())
}

/// What an error's body says: `{"error": {"message", "code"}}` as OpenAI has it, and
/// `{"message"}` or `{"detail"}` as others do; else the body itself.
#[derive(Debug)]
struct ErrorPage {
    message: String,
    code: String,
}

impl ErrorPage {
    fn read(page: &[u8]) -> Self {
        #[derive(Deserialize)]
        struct Told {
            error: Option<serde_json::Value>,
            message: Option<serde_json::Value>,
            detail: Option<serde_json::Value>,
        }
        let whole = || String::from_utf8_lossy(page).into_owned();
        let text = |value: &serde_json::Value| match value {
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let Ok(told) = serde_json::from_slice::<Told>(page) else {
            return Self { message: whole(), code: String::new() };
        };
        let code = told.error.as_ref().and_then(|error| error.get("code"));
        let inner = told.error.as_ref().map(|error| error.get("message").unwrap_or(error));
        let message = inner.or(told.message.as_ref()).or(told.detail.as_ref());
        Self { message: message.map_or_else(whole, text), code: code.map(text).unwrap_or_default() }
    }
}

/// The address that is used: the config's, the environment's or OpenAI's.
fn base_url(configured: &str) -> Result<String, String> {
    let (source, given) = match (configured, std::env::var(BASE_VARIABLE)) {
        ("", Ok(value)) if !value.trim().is_empty() => (BASE_VARIABLE, value),
        ("", _) => ("base_url", OPENAI.to_owned()),
        (configured, _) => ("base_url", configured.to_owned()),
    };
    let given = given.trim().trim_end_matches('/');
    // The address itself is not shown: a password may stand in it.
    let fault = |what: &str| Err(format!("{source}: {what}; expected http(s)://host[:port]/v1"));
    let Ok(uri) = given.parse::<Uri>() else { return fault("this is no address") };
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return fault("the address does not begin with http:// or https://");
    }
    let Some(authority) = uri.authority() else { return fault("the address names no host") };
    if authority.as_str().contains('@') {
        return fault("the address holds a user or password, which belong into OPENAI_API_KEY");
    }
    if uri.query().is_some() || given.contains('#') {
        return fault("the address holds a query or a fragment");
    }
    Ok(given.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_checked_and_never_quoted() {
        assert_eq!(base_url("http://localhost:8000/v1/").unwrap(), "http://localhost:8000/v1");
        for wrong in
            ["localhost:8000", "ftp://host/v1", "http://me:secret@host/v1", "http://h/v1?k=secret"]
        {
            let error = base_url(wrong).unwrap_err();
            assert!(error.starts_with("base_url: ") && !error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn error_bodies_of_several_servers_are_read() {
        let message = |page: &str| ErrorPage::read(page.as_bytes()).message;
        assert_eq!(message(r#"{"error": {"message": "no", "code": null}}"#), "no");
        assert_eq!(message(r#"{"object": "error", "message": "no"}"#), "no");
        assert_eq!(message(r#"{"error": "no"}"#), "no");
        assert_eq!(message(r#"{"detail": [{"loc": 1}]}"#), r#"[{"loc":1}]"#);
        assert_eq!(message("<html>"), "<html>");
        let quota = br#"{"error": {"message": "m", "code": "insufficient_quota"}}"#;
        assert_eq!(ErrorPage::read(quota).code, "insufficient_quota");
    }
}
