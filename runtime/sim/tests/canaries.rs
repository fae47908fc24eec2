//! Mistakes made on purpose are noticed within a hundred seeds, by the right rule.

use dstd_sim::{Options, Rule, Sabotage, Scenario, run};

/// The rules that `sabotage` must break sooner or later, and where it is looked for.
fn expected(sabotage: Sabotage) -> (&'static [Rule], Option<Scenario>) {
    match sabotage {
        Sabotage::SkipUnmap => (&[Rule::SingleWriter], None),
        Sabotage::ShortRange => (&[Rule::SingleWriter], Some(Scenario::Sweep)),
        Sabotage::SkipProtect => (&[Rule::SingleWriter, Rule::Order], None),
        Sabotage::ForgeAck | Sabotage::RevokeLate | Sabotage::SendEarly => {
            (&[Rule::SingleWriter], Some(Scenario::Random))
        }
        Sabotage::ForgeInstalled => (&[Rule::Refused], None),
        Sabotage::PassEarly => (&[Rule::SingleWriter], None),
        Sabotage::ForgetAck => (&[Rule::Stuck], None),
        Sabotage::Overtake => (&[Rule::Refused], None),
        Sabotage::WrongBytes => (&[Rule::Order], None),
        Sabotage::DropWake => (&[Rule::Stuck], None),
        Sabotage::KeepWake => (&[Rule::Stuck], Some(Scenario::Bystander)),
        Sabotage::HideWaiters => (&[Rule::Stuck], None),
        Sabotage::WakeEarly => (&[Rule::Mapping], None),
        Sabotage::ForgetFaulted => (&[Rule::Stuck], None),
        Sabotage::EvictSilently => (&[Rule::Refused, Rule::Stuck], Some(Scenario::Evict)),
        Sabotage::ForgeDiscarded => (&[Rule::SingleWriter], Some(Scenario::Discard)),
        Sabotage::SkipFresh => (&[Rule::Order], Some(Scenario::Discard)),
        Sabotage::AskTwice => (&[Rule::Refused], Some(Scenario::Steps)),
        Sabotage::ForgetRan => (&[Rule::Kept], Some(Scenario::Straddle)),
    }
}

#[test]
fn every_sabotage_is_noticed() {
    for sabotage in Sabotage::ALL {
        let (rules, scenario) = expected(sabotage);
        let options = Options { sabotage: Some(sabotage), scenario, ..Options::default() };
        let mut found = Vec::new();
        for seed in 0..100 {
            found.extend(run(seed, options).err().map(|failure| failure.rule));
            if rules.iter().all(|rule| found.contains(rule)) {
                break;
            }
        }
        println!("{sabotage:?}: {found:?}");
        for rule in rules {
            assert!(found.contains(rule), "{sabotage:?} breaks {found:?}, never {rule:?}");
        }
    }
}
