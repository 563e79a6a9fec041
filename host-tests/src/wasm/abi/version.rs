//! Versions of the ABI: which one a module speaks, and what only one of them has.
//!
//! A module says which by an export such as `proxy_abi_version_0_2_1`; of several, the first that is
//! known counts, as in Envoy. Their differences:
//!
//! | | 0.1.0 | 0.2.0 | 0.2.1 |
//! |---|---|---|---|
//! | `proxy_on_{request,response}_headers` | (id, count) | and end of stream | and end of stream |
//! | to resume | `proxy_continue_{request,response}` | `proxy_{continue,close}_stream` | the same |
//! | `proxy_get_configuration`, `proxy_clear_route_cache` | yes | no | no |
//! | `proxy_get_log_level` | no | no | yes |
//! | a header that is not there | empty | not found | not found |
//! | `proxy_on_foreign_function` | no | yes | yes |

use anyhow::bail;
use wasmtime::{ExternType, Module};

/// A version of the ABI that this host speaks.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Version {
    V0_1_0,
    V0_2_0,
    V0_2_1,
}

const MARKER: &str = "proxy_abi_version_";

impl Version {
    pub(crate) const ALL: [Self; 3] = [Self::V0_1_0, Self::V0_2_0, Self::V0_2_1];

    /// The version that `module` speaks.
    ///
    /// # Errors
    ///
    /// When it names none, or none that is known here.
    pub(crate) fn of(module: &Module) -> anyhow::Result<Self> {
        let mut unknown = Vec::new();
        for export in module.exports() {
            let Some(suffix) = export.name().strip_prefix(MARKER) else { continue };
            if !matches!(export.ty(), ExternType::Func(_)) {
                continue;
            }
            match Self::ALL.into_iter().find(|version| version.suffix() == suffix) {
                Some(version) => return Ok(version),
                None => unknown.push(suffix.replace('_', ".")),
            }
        }
        if unknown.is_empty() {
            bail!(
                "not a proxy-wasm module: found no export `{MARKER}…`, expected \
                 `{MARKER}{}` (or {})",
                Self::V0_2_1.suffix(),
                "0_2_0, 0_1_0"
            );
        }
        bail!(
            "the module speaks proxy-wasm ABI {}, expected 0.2.1, 0.2.0 or 0.1.0, as Envoy speaks: \
             build it with an SDK for one of these",
            unknown.join(" and ")
        )
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::V0_1_0 => "0.1.0",
            Self::V0_2_0 => "0.2.0",
            Self::V0_2_1 => "0.2.1",
        }
    }

    fn suffix(self) -> &'static str {
        match self {
            Self::V0_1_0 => "0_1_0",
            Self::V0_2_0 => "0_2_0",
            Self::V0_2_1 => "0_2_1",
        }
    }
}

/// Functions of `env` that not all versions have: name, from, to.
const SPECIFIC: [(&str, Version, Version); 7] = [
    ("proxy_clear_route_cache", Version::V0_1_0, Version::V0_1_0),
    ("proxy_close_stream", Version::V0_2_0, Version::V0_2_1),
    ("proxy_continue_request", Version::V0_1_0, Version::V0_1_0),
    ("proxy_continue_response", Version::V0_1_0, Version::V0_1_0),
    ("proxy_continue_stream", Version::V0_2_0, Version::V0_2_1),
    ("proxy_get_configuration", Version::V0_1_0, Version::V0_1_0),
    ("proxy_get_log_level", Version::V0_2_1, Version::V0_2_1),
];

/// Why a module cannot be linked that speaks `version` and imports function `name` of `module`, which
/// is not there for that version.
pub(crate) fn unlinkable(module: &str, name: &str, version: Version) -> String {
    let declared = format!("the module speaks ABI {}", version.name());
    match SPECIFIC.iter().find(|(n, ..)| module == "env" && *n == name) {
        Some((_, from, to)) => {
            let of = Version::ALL.into_iter().filter(|v| (*from..=*to).contains(v));
            let of: Vec<&str> = of.map(Version::name).collect();
            format!("imports `{module}.{name}`, of ABI {}, but {declared}", of.join(" and "))
        }
        None => format!("imports `{module}.{name}`, which no host has; {declared}"),
    }
}
