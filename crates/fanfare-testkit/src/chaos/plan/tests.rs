use super::*;

const MINUTE: Duration = Duration::from_secs(60);

fn usual() -> Vec<Kind> {
    Kind::usual(Topology::One).collect()
}

#[test]
fn a_seed_gives_one_plan() {
    for seed in 0..20 {
        let plan = Plan::new(seed, MINUTE, Topology::One, &usual());
        assert_eq!(plan, Plan::new(seed, MINUTE, Topology::One, &usual()));
        assert_ne!(plan, Plan::new(seed + 1, MINUTE, Topology::One, &usual()));
        assert!(plan.steps.len() > 15 && plan.wiped().is_empty(), "{plan}");
        assert!(plan.steps.iter().all(|step| step.at < MINUTE), "{plan}");
    }
}

#[test]
fn twenty_seeds_have_all_kinds() {
    for redis in Topology::ALL {
        let kinds: Vec<Kind> = Kind::of(*redis).collect();
        let plan = |seed| Plan::new(seed, MINUTE, *redis, &kinds).to_string();
        let all: String = (1..=20).map(plan).collect::<Vec<_>>().join("\n");
        for kind in kinds {
            assert!(all.contains(kind.name()), "{redis:?} {kind:?}");
        }
        for server in 1..=redis.servers() {
            assert!(all.contains(&format!("freeze-redis {server} ")), "{redis:?} {server}");
        }
    }
}

#[test]
fn a_short_run_of_each_kind_has_faults() {
    for kind in Kind::ALL {
        let redis = Topology::ALL.iter().copied().find(|redis| kind.fits(*redis)).unwrap();
        for seed in 0..20 {
            let plan = Plan::new(seed, Duration::from_secs(5), redis, &[*kind]);
            assert!(!plan.steps.is_empty(), "{kind:?} {seed}");
            assert!(plan.to_string().contains(kind.name()), "{plan}");
        }
    }
}

#[test]
fn names_are_read_as_they_are_written() {
    for kind in Kind::ALL {
        assert_eq!(kind.name().parse(), Ok(*kind));
    }
    for redis in Topology::ALL {
        assert_eq!(redis.name().parse(), Ok(*redis));
    }
    assert!("kill".parse::<Kind>().unwrap_err().contains("kill-node,freeze-node"));
}

#[test]
fn one_of_three_servers_is_wiped() {
    for seed in 0..6 {
        let plan = Plan::new(seed, MINUTE, Topology::Three, &[Kind::Wipe, Kind::FreezeRedis]);
        assert!(plan.wiped().iter().all(|server| *server as u64 == seed % 3), "{plan}");
    }
}
