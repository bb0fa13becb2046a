//! Fork names: which rules each name of the tests stands for.
//!
//! One table; a name that is not in it is reported as such and never guessed.

use revm::primitives::hardfork::SpecId;

/// The names, oldest first, with revm's rules. Where two names stand for the same rules, the first is
/// the one that [`name`] gives.
const FORKS: [(&str, SpecId); 20] = [
    ("Frontier", SpecId::FRONTIER),
    ("Homestead", SpecId::HOMESTEAD),
    ("EIP150", SpecId::TANGERINE),
    ("TangerineWhistle", SpecId::TANGERINE),
    ("EIP158", SpecId::SPURIOUS_DRAGON),
    ("SpuriousDragon", SpecId::SPURIOUS_DRAGON),
    ("Byzantium", SpecId::BYZANTIUM),
    ("ConstantinopleFix", SpecId::PETERSBURG),
    ("Petersburg", SpecId::PETERSBURG),
    ("Istanbul", SpecId::ISTANBUL),
    ("Berlin", SpecId::BERLIN),
    ("London", SpecId::LONDON),
    ("Paris", SpecId::MERGE),
    ("Merge", SpecId::MERGE),
    ("Shanghai", SpecId::SHANGHAI),
    ("Cancun", SpecId::CANCUN),
    ("Prague", SpecId::PRAGUE),
    ("Osaka", SpecId::OSAKA),
    ("Amsterdam", SpecId::AMSTERDAM),
    ("Latest", SpecId::OSAKA),
];

/// The fork with EIP-1283 gas, which mainnet never ran alone and revm does not have.
pub const CONSTANTINOPLE: &str = "Constantinople";

/// The rules a name stands for; `None` for Constantinople and for names that are not known.
pub fn rules(name: &str) -> Option<SpecId> {
    FORKS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|&(_, spec)| spec)
}

/// The name the tests use for these rules.
pub fn name(spec: SpecId) -> &'static str {
    FORKS.iter().find(|&&(_, known)| known == spec).map_or("unknown", |&(name, _)| name)
}

/// Every name, oldest fork first.
pub fn names() -> impl Iterator<Item = &'static str> {
    FORKS.iter().map(|&(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_leads_back_to_its_rules() {
        for known in names() {
            let spec = rules(known).unwrap();
            assert_eq!(rules(name(spec)), Some(spec));
        }
        assert_eq!(rules(CONSTANTINOPLE), None);
        assert_eq!(rules("ParisToShanghaiAtTime15k"), None);
    }
}
