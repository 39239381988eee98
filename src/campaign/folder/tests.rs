use std::thread;
use std::time::Duration;

use super::*;
use crate::campaign::plan::tests::campaign;
use crate::campaign::result::UnitVerdict;
use crate::campaign::result::tests::result;

fn folder() -> (tempfile::TempDir, CampaignFolder) {
    let temporary = tempfile::tempdir().unwrap();
    let folder = CampaignFolder::at(&temporary.path().join("campaign"));
    folder.begin(&campaign()).unwrap();
    (temporary, folder)
}

fn key(name: &str) -> Key {
    Key::of(&[("name", name)])
}

fn holder(machine: &str, process: i32) -> Holder {
    Holder { host: machine.into(), machine: machine.into(), process, began: 1 }
}

const LIVES: fn(&Holder) -> bool = |_| true;
const DEAD: fn(&Holder) -> bool = |_| false;

#[test]
fn a_plan_is_begun_once_and_another_one_is_refused() {
    let (_temporary, folder) = folder();
    let mut plan = campaign();
    assert_eq!(folder.plan().unwrap(), plan);
    plan.tools[0].version = "2.0".into();
    folder.begin(&plan).unwrap();
    assert_eq!(folder.plan().unwrap(), plan, "an upgrade is the same question");
    plan.seeds.push(9);
    assert!(matches!(folder.begin(&plan), Err(FolderError::Other(_))));
    let nothing = CampaignFolder::at(&folder.path().join("units"));
    assert!(matches!(nothing.plan(), Err(FolderError::NoPlan(_))));
}

#[test]
fn a_result_is_written_once_with_what_stands_beside_it() {
    let (_temporary, folder) = folder();
    let first = result(key("a"), UnitVerdict::Sat, 1.0);
    let evidence = UnitEvidence { witness: Some(b"sat\n".to_vec()), certificate: None };
    assert_eq!(folder.result(&first.key).unwrap(), StoredResult::Missing);
    assert_eq!(folder.write(first.clone(), &evidence).unwrap(), WriteOnce::New);
    let second = result(key("a"), UnitVerdict::Unknown, 2.0);
    assert_eq!(folder.write(second, &UnitEvidence::default()).unwrap(), WriteOnce::Before);
    let StoredResult::Whole(found) = folder.result(&first.key).unwrap() else { panic!("no result") };
    assert_eq!((found.verdict, found.resources), (first.verdict, first.resources));
    let witness = fs::read(folder.beside(found.witness.as_deref().unwrap())).unwrap();
    assert_eq!(witness, b"sat\n");
    let bytes = fs::metadata(folder.result_path(&first.key)).unwrap().len();
    assert_eq!(folder.lengths().unwrap(), [(packed(first.key.as_str()).unwrap(), bytes)]);
    let keys = folder.keys().unwrap();
    assert!(keys.contains(&first.key) && !keys.contains(&key("b")));
    assert_eq!(fs::read_dir(folder.units()).unwrap().count(), 2, "nothing else is left");
}

#[test]
fn a_half_written_result_is_set_aside_and_made_anew() {
    let (_temporary, folder) = folder();
    let whole = result(key("a"), UnitVerdict::Sat, 1.0);
    fs::write(folder.result_path(&whole.key), "{\"counterpatch_unit\": 1, \"key\"").unwrap();
    assert!(matches!(folder.result(&whole.key).unwrap(), StoredResult::Broken(_)));
    folder.set_aside(&whole.key).unwrap();
    folder.set_aside(&whole.key).unwrap();
    assert_eq!(folder.write(whole.clone(), &UnitEvidence::default()).unwrap(), WriteOnce::New);
    assert!(matches!(folder.result(&whole.key).unwrap(), StoredResult::Whole(_)));
}

#[test]
fn one_of_many_gets_a_unit() {
    let (_temporary, folder) = folder();
    for round in 0..20 {
        let key = key(&format!("{round}"));
        if round % 2 == 1 {
            // A claim of a dead process stands there before.
            let old = holder("m", 99);
            assert!(matches!(folder.claim(&key, &old, 60, &LIVES).unwrap(), Claimed::Ours(_)));
        }
        let lives = |holder: &Holder| holder.process != 99;
        let claim = |process| {
            let (folder, key) = (folder.clone(), key.clone());
            move || match folder.claim(&key, &holder("m", process), 60, &lives).unwrap() {
                Claimed::Ours(_) => Some(process),
                Claimed::Theirs(_) => None,
            }
        };
        let threads: Vec<_> = (0..8).map(|process| thread::spawn(claim(process))).collect();
        let winners: Vec<i32> = threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect();
        let [winner] = winners[..] else { panic!("{winners:?} in round {round}") };
        match folder.claim(&key, &holder("m", 50), 60, &lives).unwrap() {
            Claimed::Theirs(other) => assert_eq!(other.process, winner),
            Claimed::Ours(_) => panic!("a second claim in round {round}"),
        }
    }
}

/// A claim by process 1 of machine `a`, so many seconds old; whether process 2 of another machine or the same gets the unit.
fn check(age: u64, lease: u64, machine: &str, lives: fn(&Holder) -> bool, taken: bool) {
    let (_temporary, folder) = folder();
    let key = key("k");
    assert!(matches!(folder.claim(&key, &holder("a", 1), lease, &LIVES).unwrap(), Claimed::Ours(_)));
    let file = open(&folder.claims().join(key.as_str()));
    let modified = file.metadata().unwrap().modified().unwrap();
    file.set_modified(modified - Duration::from_secs(age)).unwrap();
    let got = folder.claim(&key, &holder(machine, 2), lease, &lives).unwrap();
    assert_eq!(matches!(got, Claimed::Ours(_)), taken, "{age} of {lease} s, {machine}");
    assert_eq!(folder.claimed(&holder(machine, 3), &LIVES).unwrap().len(), 1);
    if let Claimed::Ours(lease) = got {
        lease.release();
        // The void one is still there, and void.
        assert!(matches!(folder.claim(&key, &holder(machine, 4), 60, &lives).unwrap(), Claimed::Ours(_)));
    }
}

fn open(path: &Path) -> File {
    fs::OpenOptions::new().write(true).open(path).unwrap()
}

#[test]
fn claims_are_taken_over_when_they_are_void() {
    check(0, 60, "a", LIVES, false);
    // Of its own machine a process is asked for, however old the claim.
    check(1000, 60, "a", LIVES, false);
    check(0, 60, "a", DEAD, true);
    // Of another machine only the age is known.
    check(0, 60, "b", DEAD, false);
    check(50, 60, "b", DEAD, false);
    check(70, 60, "b", LIVES, true);
}

#[test]
fn a_lease_is_renewed_released_and_tidied() {
    let (_temporary, folder) = folder();
    let key = key("k");
    let Claimed::Ours(first) = folder.claim(&key, &holder("a", 1), 60, &LIVES).unwrap() else { panic!() };
    let path = folder.claims().join(key.as_str());
    let file = open(&path);
    let old = file.metadata().unwrap().modified().unwrap() - Duration::from_secs(100);
    file.set_modified(old).unwrap();
    first.renew();
    assert!(file.metadata().unwrap().modified().unwrap() > old);
    let Claimed::Ours(second) = folder.claim(&key, &holder("a", 2), 60, &DEAD).unwrap() else { panic!() };
    folder.tidy(&key, &second);
    second.release();
    assert_eq!(fs::read_dir(folder.claims()).unwrap().count(), 0);
    // What is gone stays gone.
    first.renew();
    assert_eq!(fs::read_dir(folder.claims()).unwrap().count(), 0);
    fs::write(&path, "{\"host\":").unwrap();
    let damaged = folder.claim(&key, &holder("b", 1), 60, &LIVES).unwrap();
    assert!(matches!(damaged, Claimed::Ours(_)));
}
