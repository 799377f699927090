use std::fmt;

/// The key, which leaves this type only as the header of a request.
pub(crate) struct Key(Option<String>);

/// Where the key comes from.
pub(crate) const VARIABLE: &str = "OPENAI_API_KEY";

impl Key {
    /// The key of the environment; an empty one is none. The error does not show it.
    pub(crate) fn from_environment() -> Result<Self, String> {
        match std::env::var(VARIABLE) {
            Ok(value) => Self::new(&value),
            Err(std::env::VarError::NotPresent) => Ok(Self(None)),
            Err(std::env::VarError::NotUnicode(_)) => Err(format!("{VARIABLE} is not UTF-8")),
        }
    }

    fn new(value: &str) -> Result<Self, String> {
        let value = value.trim();
        if value.bytes().any(|byte| !byte.is_ascii_graphic()) {
            return Err(format!("{VARIABLE} holds a byte that no header may hold"));
        }
        Ok(Self((!value.is_empty()).then(|| value.to_owned())))
    }

    /// The value of the header `Authorization`.
    pub(crate) fn header(&self) -> Option<String> {
        self.0.as_ref().map(|key| format!("Bearer {key}"))
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.is_some()
    }

    /// A text of the server, in which it may have quoted the key.
    pub(crate) fn without(&self, text: &str) -> String {
        match &self.0 {
            Some(key) => text.replace(key.as_str(), "[key]"),
            None => text.to_owned(),
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(if self.is_set() { "Key(set)" } else { "Key(none)" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_shown_to_nobody_but_the_server() {
        let key = Key::new(" sk-1234 \n").unwrap();
        assert_eq!(key.header().unwrap(), "Bearer sk-1234");
        assert_eq!(format!("{key:?}"), "Key(set)");
        assert_eq!(key.without("wrong key sk-1234!"), "wrong key [key]!");
        assert!(!Key::new("").unwrap().is_set());
    }

    #[test]
    fn a_key_with_a_line_break_is_refused_unseen() {
        let error = Key::new("sk-1\r\nX-Evil: 1").unwrap_err();
        assert!(!error.contains("sk-1"), "{error}");
    }
}
