//! Renewing a Lease until it is lost.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use k8s_openapi::jiff::Timestamp;
use mesh::object::{Id, Object};
use serde_json::json;
use tokio::time::{sleep, timeout};

use super::record::{Holder, Record, micros};
use super::{Kept, Lost, Moment, Rules, kind, taken, write};
use crate::apply::get;
use crate::connect::Connection;

pub(super) struct Renewal {
    pub connection: Connection,
    pub id: Id,
    pub us: Holder,
    pub rules: Rules,
    pub kept: Arc<Kept>,
}

impl Renewal {
    /// Until the Lease is another's, or couldn't be renewed before the deadline.
    pub async fn run(self) -> Lost {
        loop {
            sleep(self.rules.retry).await;
            let Some(left) = self.left() else {
                return Lost::NotRenewed;
            };
            match timeout(left, self.once()).await {
                Ok(None) => {}
                Ok(Some(lost)) => return lost,
                Err(_) => return Lost::NotRenewed,
            }
        }
    }

    /// Of the time in which a renewal must succeed.
    fn left(&self) -> Option<Duration> {
        let (_, renewed) = self.kept.get();
        self.rules
            .deadline
            .checked_sub(renewed.passed())
            .filter(|left| !left.is_zero())
    }

    /// One renewal. What it comes to when the answer doesn't say is told by a look.
    async fn once(&self) -> Option<Lost> {
        let began = Moment::now();
        let (lease, _) = self.kept.get();
        let mut value = lease.value().clone();
        let now = micros(Timestamp::now());
        value["spec"]["renewTime"] = json!(now);
        let kind = kind();
        let about = kind.about("update", &self.id);
        let path = kind.path(&self.id, &self.connection);
        let sent = write(&self.connection, &about, Method::PUT, &path, &value).await;
        if let Ok(Some(renewed)) = taken(&self.connection, &about, sent) {
            self.kept.set(renewed, began);
            return None;
        }
        let found = match get(&self.connection, &kind, &self.id).await {
            Ok(found) => found,
            // It may pass before the deadline.
            Err(_) => return None,
        };
        let Some(found) = found else {
            return Some(Lost::Deleted);
        };
        let holder = Record::of(&found).holder;
        if holder != self.us.as_str() {
            return Some(Lost::Taken { by: holder });
        }
        self.adopt(found, &now, began);
        None
    }

    /// The Lease is ours in another version: our own write, whose answer was lost, or somebody's label. Only the first renewed it.
    fn adopt(&self, found: Object, now: &str, began: Moment) {
        let is_renewed = found.string("/spec/renewTime") == Some(now);
        let (_, before) = self.kept.get();
        self.kept
            .set(found, if is_renewed { began } else { before });
    }
}
