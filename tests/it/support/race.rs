//! Many callers in the same moment, and what they were answered.

use std::{collections::BTreeMap, future::Future, sync::Arc};

use tokio::sync::Barrier;
use tonic::{Code, Status};

/// Starts `count` tasks, lets all begin in the same moment, and returns what each came to.
pub async fn race<T, F>(count: usize, task: impl Fn(usize) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let start = Arc::new(Barrier::new(count));
    let tasks: Vec<_> = (0..count)
        .map(|number| {
            let (start, work) = (Arc::clone(&start), task(number));
            tokio::spawn(async move {
                start.wait().await;
                work.await
            })
        })
        .collect();
    let mut results = Vec::new();
    for task in tasks {
        results.push(task.await.unwrap());
    }
    results
}

/// How often each code was answered.
pub fn codes<T>(answers: &[Result<T, Status>]) -> BTreeMap<String, usize> {
    let mut codes = BTreeMap::new();
    for answer in answers {
        let code = answer.as_ref().map_or_else(Status::code, |_| Code::Ok);
        *codes.entry(format!("{code:?}")).or_default() += 1;
    }
    codes
}

/// The codes and how often each is expected.
pub fn expected(codes: &[(Code, usize)]) -> BTreeMap<String, usize> {
    codes.iter().map(|(code, times)| (format!("{code:?}"), *times)).collect()
}

/// Every answer is one of these codes.
#[track_caller]
pub fn only<T>(answers: &[Result<T, Status>], allowed: &[Code]) {
    for answer in answers {
        if let Err(status) = answer {
            assert!(allowed.contains(&status.code()), "{status:?}");
        }
    }
}

/// As many names: "user000", "user001", …
pub fn names(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{prefix}{number:03}")).collect()
}

/// A random sequence that is the same for the same seed (SplitMix64).
pub struct Dice(pub u64);

impl Dice {
    /// A number below `sides`.
    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % sides as u64).unwrap()
    }
}
