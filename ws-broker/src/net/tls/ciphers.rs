//! Cipher suites by the names and words that OpenSSL has for them.

use anyhow::{Result, bail};
use tokio_rustls::rustls::{CipherSuite, SupportedCipherSuite};

/// The suites of TLS 1.2 that there are, by OpenSSL's names. All are by elliptic curves, with a key for
/// each connection, and authenticate what they encrypt.
const TLS12: [(CipherSuite, &str); 6] = [
    (CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, "ECDHE-ECDSA-AES256-GCM-SHA384"),
    (CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, "ECDHE-ECDSA-AES128-GCM-SHA256"),
    (CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, "ECDHE-ECDSA-CHACHA20-POLY1305"),
    (CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, "ECDHE-RSA-AES256-GCM-SHA384"),
    (CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, "ECDHE-RSA-AES128-GCM-SHA256"),
    (CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, "ECDHE-RSA-CHACHA20-POLY1305"),
];

/// The suites of TLS 1.3 that there are.
const TLS13: [(CipherSuite, &str); 3] = [
    (CipherSuite::TLS13_AES_256_GCM_SHA384, "TLS_AES_256_GCM_SHA384"),
    (CipherSuite::TLS13_CHACHA20_POLY1305_SHA256, "TLS_CHACHA20_POLY1305_SHA256"),
    (CipherSuite::TLS13_AES_128_GCM_SHA256, "TLS_AES_128_GCM_SHA256"),
];

/// The suites that the two lists of a configuration leave of those that are offered; an empty list
/// leaves all.
///
/// # Errors
/// A list leaves none: the broker is not to offer what it was not told to.
pub(super) fn choose(
    tls12: &[String],
    tls13: &[String],
    offered: &[SupportedCipherSuite],
) -> Result<Vec<SupportedCipherSuite>> {
    let mut chosen = chosen_of(&TLS13, tls13, "ciphers_tls1.3")?;
    chosen.extend(chosen_of(&TLS12, tls12, "ciphers")?);
    let supported = |suite| offered.iter().find(|offered| offered.suite() == suite).copied();
    Ok(chosen.into_iter().filter_map(supported).collect())
}

fn chosen_of(
    suites: &[(CipherSuite, &str)],
    list: &[String],
    word: &str,
) -> Result<Vec<CipherSuite>> {
    if list.is_empty() {
        return Ok(suites.iter().map(|(suite, _)| *suite).collect());
    }
    let mut chosen = Vec::new();
    let mut banned = Vec::new();
    for item in list {
        let (removes, bans, item) = match item.split_at_checked(1) {
            Some(("!", rest)) => (true, true, rest),
            Some(("-", rest)) => (true, false, rest),
            // These say something about the order alone.
            Some(("+" | "@", _)) => continue,
            _ => (false, false, item.as_str()),
        };
        let matching = suites.iter().filter(|(_, name)| fits(name, item)).map(|(suite, _)| *suite);
        for suite in matching {
            if removes {
                chosen.retain(|other| *other != suite);
            } else if !chosen.contains(&suite) && !banned.contains(&suite) {
                chosen.push(suite);
            }
            if bans {
                banned.push(suite);
            }
        }
    }
    if chosen.is_empty() {
        let names: Vec<_> = suites.iter().map(|(_, name)| *name).collect();
        bail!(
            "{word} {} leaves nothing that this broker's TLS library can do, which is {}",
            list.join(":"),
            names.join(":")
        );
    }
    Ok(chosen)
}

/// Whether a suite is what an item of a list means: its name, or words of which each is true of it.
fn fits(suite: &str, item: &str) -> bool {
    item == suite || !item.is_empty() && item.split('+').all(|word| is_true_of(suite, word))
}

fn is_true_of(suite: &str, word: &str) -> bool {
    match word {
        "ALL" | "DEFAULT" | "HIGH" | "PROFILE=SYSTEM" => true,
        "ECDHE" | "EECDH" | "kECDHE" | "kEECDH" | "TLSv1.2" => suite.starts_with("ECDHE"),
        "RSA" | "aRSA" => suite.contains("-RSA-"),
        "ECDSA" | "aECDSA" => suite.contains("-ECDSA-"),
        "AES" | "AESGCM" => suite.contains("AES"),
        "AES128" | "AES256" => suite.contains(word),
        "CHACHA20" => suite.contains("CHACHA20"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &str) -> Vec<&'static str> {
        let list: Vec<_> = list.split(':').map(str::to_owned).collect();
        let chosen = chosen_of(&TLS12, &list, "ciphers").unwrap_or_default();
        let name = |suite: CipherSuite| TLS12.iter().find(|(known, _)| *known == suite).unwrap().1;
        chosen.into_iter().map(name).collect()
    }

    #[test]
    fn lists_mean_what_openssl_means_by_them() {
        assert_eq!(names("DEFAULT:!aNULL:@STRENGTH").len(), 6);
        assert_eq!(names("ECDHE+AESGCM").len(), 4);
        assert_eq!(
            names("ECDHE-RSA-AES128-GCM-SHA256:AES128-SHA:ECDHE-RSA-AES256-GCM-SHA384"),
            ["ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384"],
            "in the order of the list"
        );
        assert_eq!(names("HIGH:!ECDSA:-CHACHA20").len(), 2);
        assert_eq!(names("!CHACHA20:ALL").len(), 4, "what is banned does not come back");
    }

    #[test]
    fn a_list_that_leaves_nothing_is_refused_with_what_there_is() {
        for list in ["AES128-SHA", "HIGH:!ALL", "PSK", "no-such-cipher"] {
            let error = chosen_of(&TLS12, &[list.to_owned()], "ciphers");
            let said = if list.contains(':') { continue } else { error.unwrap_err().to_string() };
            assert!(said.contains(list) && said.contains("ECDHE-RSA-AES128-GCM-SHA256"), "{said}");
        }
        assert_eq!(names("HIGH:!ALL"), [""; 0]);
    }
}
