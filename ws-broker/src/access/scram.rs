//! SCRAM-SHA-512: the server's side of the exchange by which a client proves that it knows a password
//! without sending it, and learns that the server knows it too (RFC 5802; MQTT 5.0 §4.12).
//!
//! What is kept of a password hashed with PBKDF2 is exactly what SCRAM calls the salted password, so a
//! password file needs nothing more for it. Nothing here sends, draws random bytes or reads a clock.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha512};
use subtle::ConstantTimeEq as _;

use super::password::DIGEST_LEN;

/// The Authentication Method.
pub(crate) const METHOD: &str = "SCRAM-SHA-512";

type Digest = [u8; DIGEST_LEN];

/// What the server knows of a user (RFC 5802 §3).
pub(crate) struct Credentials {
    iterations: u32,
    salt: Box<[u8]>,
    stored_key: Digest,
    server_key: Digest,
    /// Whether there is such a user; one that is not there never proves itself.
    is_known: bool,
}

/// Why an exchange did not come to its end. The client is told no more than that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    /// A message does not have the form that RFC 5802 §7 gives it.
    #[error("a message of its SCRAM exchange is malformed")]
    Malformed,
    /// The client wants the exchange bound to the TLS connection.
    #[error("it wants channel binding, which is not served")]
    ChannelBinding,
    /// The client wants to act as somebody else.
    #[error("it wants to act for another user")]
    OtherUser,
    /// The client answers another exchange than this.
    #[error("its nonce is not the one of this exchange")]
    Nonce,
    /// The operating system gives no random bytes.
    #[error("there are no random bytes for a nonce")]
    NoNonce,
    /// The client does not know the password, or there is no such user.
    #[error("its proof is not that of the user")]
    Proof,
}

/// An exchange in which the server has sent its first message and waits for the client's last.
#[derive(Debug)]
pub(crate) struct Exchange {
    user: String,
    credentials: Credentials,
    /// The client's header for channel binding, which its last message repeats.
    header: String,
    nonce: String,
    /// What both sides sign, as far as it has been said.
    said: String,
}

/// What the client has proved, and the server's own proof.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Proved {
    pub user: String,
    /// The server's last message.
    pub answer: String,
}

impl Credentials {
    /// What is known of a user by the salted password.
    pub(crate) fn new(iterations: u32, salt: &[u8], salted_password: &Digest) -> Self {
        Self {
            iterations,
            salt: salt.into(),
            stored_key: Sha512::digest(sign(salted_password, b"Client Key")).into(),
            server_key: sign(salted_password, b"Server Key"),
            is_known: true,
        }
    }

    /// What is shown of a user who is not there.
    pub(crate) fn unknown(iterations: u32, salt: &[u8]) -> Self {
        Self { is_known: false, ..Self::new(iterations, salt, &[0; DIGEST_LEN]) }
    }
}

/// Nothing of what it holds is for a log.
impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credentials")
    }
}

impl Exchange {
    /// Begins with the client's first message; the answer is the server's. `nonce` is printable text
    /// that was never used before.
    pub(crate) fn begin(
        message: &[u8],
        nonce: &str,
        credentials: impl FnOnce(&str) -> Credentials,
    ) -> Result<(Self, String), Failure> {
        let message = str::from_utf8(message).map_err(|_| Failure::Malformed)?;
        let (binding, rest) = message.split_once(',').ok_or(Failure::Malformed)?;
        match binding {
            // `y`: the client could bind and takes us for a server that can't, which is true.
            "n" | "y" => {}
            _ if binding.starts_with("p=") => return Err(Failure::ChannelBinding),
            _ => return Err(Failure::Malformed),
        }
        let (act_as, bare) = rest.split_once(',').ok_or(Failure::Malformed)?;
        let header = format!("{binding},{act_as},");
        let mut parts = bare.split(',');
        let user = parts.next().and_then(|part| part.strip_prefix("n="));
        let user = unescape(user.ok_or(Failure::Malformed)?)?;
        match act_as.strip_prefix("a=") {
            None if act_as.is_empty() => {}
            None => return Err(Failure::Malformed),
            Some(other) if unescape(other)? == user => {}
            Some(_) => return Err(Failure::OtherUser),
        }
        let client_nonce = parts.next().and_then(|part| part.strip_prefix("r="));
        let client_nonce =
            client_nonce.filter(|nonce| is_nonce(nonce)).ok_or(Failure::Malformed)?;
        let nonce = format!("{client_nonce}{nonce}");
        let credentials = credentials(&user);
        let salt = BASE64_STANDARD.encode(&credentials.salt);
        let answer = format!("r={nonce},s={salt},i={}", credentials.iterations);
        let said = format!("{bare},{answer}");
        Ok((Self { user, credentials, header, nonce, said }, answer))
    }

    /// Who the client says it is.
    pub(crate) fn user(&self) -> &str {
        &self.user
    }

    /// Ends with the client's last message.
    pub(crate) fn finish(self, message: &[u8]) -> Result<Proved, Failure> {
        let message = str::from_utf8(message).map_err(|_| Failure::Malformed)?;
        let (without_proof, proof) = message.rsplit_once(",p=").ok_or(Failure::Malformed)?;
        let proof = BASE64_STANDARD.decode(proof).map_err(|_| Failure::Malformed)?;
        let proof: Digest = proof.try_into().map_err(|_| Failure::Malformed)?;
        let mut parts = without_proof.split(',');
        let header = parts.next().and_then(|part| part.strip_prefix("c="));
        let header = BASE64_STANDARD.decode(header.ok_or(Failure::Malformed)?);
        if header.map_err(|_| Failure::Malformed)? != self.header.as_bytes() {
            return Err(Failure::ChannelBinding);
        }
        let nonce = parts.next().and_then(|part| part.strip_prefix("r="));
        if nonce.ok_or(Failure::Malformed)? != self.nonce {
            return Err(Failure::Nonce);
        }
        let said = format!("{},{without_proof}", self.said);
        let Credentials { stored_key, server_key, is_known, .. } = self.credentials;
        let mut client_key = sign(&stored_key, said.as_bytes());
        for (key, proof) in client_key.iter_mut().zip(proof) {
            *key ^= proof;
        }
        let is_proved = bool::from(Sha512::digest(client_key).ct_eq(&stored_key[..]));
        if !is_proved || !is_known {
            return Err(Failure::Proof);
        }
        let signature = BASE64_STANDARD.encode(sign(&server_key, said.as_bytes()));
        Ok(Proved { user: self.user, answer: format!("v={signature}") })
    }
}

fn sign(key: &Digest, text: &[u8]) -> Digest {
    // A key of any length is one that HMAC takes.
    Hmac::<Sha512>::new_from_slice(key).map_or([0; DIGEST_LEN], |mut hmac| {
        hmac.update(text);
        hmac.finalize().into_bytes().into()
    })
}

/// A user name as it was before `,` and `=` were written as `=2C` and `=3D`.
fn unescape(name: &str) -> Result<String, Failure> {
    let mut parts = name.split('=');
    let mut plain = String::from(parts.next().unwrap_or_default());
    for part in parts {
        let (character, rest) = match (part.strip_prefix("2C"), part.strip_prefix("3D")) {
            (Some(rest), _) => (',', rest),
            (_, Some(rest)) => ('=', rest),
            _ => return Err(Failure::Malformed),
        };
        plain.push(character);
        plain.push_str(rest);
    }
    if plain.is_empty() { Err(Failure::Malformed) } else { Ok(plain) }
}

/// Whether a nonce is of printable characters other than a comma, and not too short to be one.
fn is_nonce(nonce: &str) -> bool {
    nonce.len() >= 8 && nonce.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An exchange computed with Python's hashlib and hmac.
    const SALTED_PASSWORD: &str =
        "lzgniLFcvglRLS0gt+C4gy+NurS3OIOVRAU1zZOV4P+qFiVFO2/edGQSu/kD1LwdX0SNV/KsPdHSwEl5qRTuZQ==";
    const SALT: &str = "QSXCR+Q6sek8bf92";
    const ITERATIONS: u32 = 4096;
    const SERVER_NONCE: &str = "3rfcNHYJY1ZVvWVs7j";
    const CLIENT_FIRST: &str = "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL";
    const SERVER_FIRST: &str =
        "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096";
    const CLIENT_LAST: &str = "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=VdS8LkrURiej1tG6iX+fqCXQfUnBb//d9llXYaH+ylUbDwBUz9geyR9fC4TewskRUM2tlYSalhAT4Aay1Q5dTA==";
    const SERVER_LAST: &str = "v=14PAAuavk9hxBEkgB0brDxUhvWu+N16meYk+qxVNFqchR8QPohM09Y4Z6WaTCuX4C6nqMB9KIJTDm6RpSM990g==";

    fn credentials(_user: &str) -> Credentials {
        let salted_password = BASE64_STANDARD.decode(SALTED_PASSWORD).unwrap();
        let salt = BASE64_STANDARD.decode(SALT).unwrap();
        Credentials::new(ITERATIONS, &salt, &salted_password.try_into().unwrap())
    }

    fn begin(message: &str) -> Result<(Exchange, String), Failure> {
        Exchange::begin(message.as_bytes(), SERVER_NONCE, credentials)
    }

    #[test]
    fn who_knows_the_password_proves_it_and_gets_a_proof_back() {
        let (exchange, answer) = begin(CLIENT_FIRST).unwrap();
        assert_eq!(answer, SERVER_FIRST);
        let proved = exchange.finish(CLIENT_LAST.as_bytes()).unwrap();
        assert_eq!(proved, Proved { user: "user".into(), answer: SERVER_LAST.into() });
    }

    #[test]
    fn the_salted_password_is_what_a_password_file_holds() {
        let text = format!("$7${ITERATIONS}${SALT}${SALTED_PASSWORD}");
        assert!(super::super::password::Hash::parse(&text).unwrap().is_of(b"pencil"));
    }

    #[test]
    fn a_user_who_is_not_there_gets_the_same_course_and_fails_at_its_end() {
        let salt = BASE64_STANDARD.decode(SALT).unwrap();
        let unknown = |_: &str| Credentials::unknown(ITERATIONS, &salt);
        let begun = Exchange::begin(CLIENT_FIRST.as_bytes(), SERVER_NONCE, unknown);
        let (exchange, answer) = begun.unwrap();
        assert_eq!(answer, SERVER_FIRST);
        assert_eq!(exchange.finish(CLIENT_LAST.as_bytes()), Err(Failure::Proof));
        // Even the one proof that the made-up keys would take is none.
        let (exchange, _) =
            Exchange::begin(CLIENT_FIRST.as_bytes(), SERVER_NONCE, unknown).unwrap();
        let without_proof = CLIENT_LAST.rsplit_once(",p=").unwrap().0;
        let said = format!("{},{without_proof}", exchange.said);
        let mut proof = sign(&exchange.credentials.stored_key, said.as_bytes());
        let client_key = sign(&[0; DIGEST_LEN], b"Client Key");
        for (proof, key) in proof.iter_mut().zip(client_key) {
            *proof ^= key;
        }
        let last = format!("{without_proof},p={}", BASE64_STANDARD.encode(proof));
        assert_eq!(exchange.finish(last.as_bytes()), Err(Failure::Proof));
    }

    #[test]
    fn first_messages_are_taken_or_refused_by_their_form() {
        for (message, want) in [
            ("n,,n=user,r=12345678", Ok("user")),
            ("y,,n=user,r=12345678", Ok("user")),
            ("n,,n=a=2Cb=3Dc,r=12345678,x=later", Ok("a,b=c")),
            ("n,a=user,n=user,r=12345678", Ok("user")),
            ("n,a=other,n=user,r=12345678", Err(Failure::OtherUser)),
            ("p=tls-exporter,,n=user,r=12345678", Err(Failure::ChannelBinding)),
            ("", Err(Failure::Malformed)),
            ("n", Err(Failure::Malformed)),
            ("n,,", Err(Failure::Malformed)),
            ("n,,n=,r=12345678", Err(Failure::Malformed)),
            ("n,,n=user", Err(Failure::Malformed)),
            ("n,,n=user,r=", Err(Failure::Malformed)),
            ("n,,n=user,r=1234567", Err(Failure::Malformed)),
            ("n,,n=us=er,r=12345678", Err(Failure::Malformed)),
            ("n,,m=must,n=user,r=12345678", Err(Failure::Malformed)),
            ("x,,n=user,r=12345678", Err(Failure::Malformed)),
            ("n,b,n=user,r=12345678", Err(Failure::Malformed)),
            ("n,,n=user,r=1234\u{e4}678", Err(Failure::Malformed)),
        ] {
            let got = begin(message).map(|(exchange, _)| exchange.user);
            assert_eq!(got, want.map(str::to_owned), "{message:?}");
        }
        let begun = Exchange::begin(b"n,,n=us\xffer,r=12345678", SERVER_NONCE, credentials);
        assert_eq!(begun.unwrap_err(), Failure::Malformed);
    }

    #[test]
    fn last_messages_must_be_of_this_exchange_and_whole() {
        let proof = CLIENT_LAST.rsplit_once(",p=").unwrap().1;
        let nonce = "fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j";
        for (message, want) in [
            (format!("c=biws,r={nonce}x,p={proof}"), Failure::Nonce),
            (format!("c=biws,r=fyko+d2lbbFgONRv9qkxdawL,p={proof}"), Failure::Nonce),
            (format!("c=eSws,r={nonce},p={proof}"), Failure::ChannelBinding),
            (format!("c=biws,r={nonce},p={}", proof.replacen('V', "B", 1)), Failure::Proof),
            (format!("c=biws,r={nonce},x=1,p={proof}"), Failure::Proof),
            (format!("c=biws,r={nonce},p=AAAA"), Failure::Malformed),
            (format!("c=biws,r={nonce},p="), Failure::Malformed),
            (format!("c=biws,r={nonce}"), Failure::Malformed),
            (format!("r={nonce},c=biws,p={proof}"), Failure::Malformed),
            (String::new(), Failure::Malformed),
        ] {
            let (exchange, _) = begin(CLIENT_FIRST).unwrap();
            assert_eq!(exchange.finish(message.as_bytes()), Err(want), "{message}");
        }
    }
}
