//! The metrics of one VM. As in Envoy, nothing undefines a metric.

use std::collections::BTreeMap;

use crate::outcome::{Metric, MetricKind};
use crate::status::Status;

#[derive(Debug, Default)]
pub(crate) struct Metrics {
    defined: Vec<(Vec<u8>, Metric)>,
}

impl Metrics {
    /// The same name and kind give the same metric again.
    pub(crate) fn define(&mut self, kind: u32, name: &[u8]) -> Result<u32, Status> {
        let kind = match kind {
            0 => MetricKind::Counter,
            1 => MetricKind::Gauge,
            2 => MetricKind::Histogram,
            _ => return Err(Status::BadArgument),
        };
        let known = self
            .defined
            .iter()
            .position(|(have, metric)| have == name && metric.kind == kind);
        let index = known.unwrap_or(self.defined.len());
        if known.is_none() {
            self.defined.push((
                name.to_vec(),
                Metric {
                    kind,
                    value: 0,
                    samples: Vec::new(),
                },
            ));
        }
        u32::try_from(index)
            .ok()
            .and_then(|index| index.checked_add(1))
            .ok_or(Status::InternalFailure)
    }

    /// A counter takes positive offsets only, a gauge stops at zero, a histogram takes none.
    pub(crate) fn increment(&mut self, id: u32, offset: i64) -> Result<(), Status> {
        let metric = self.metric(id)?;
        match metric.kind {
            MetricKind::Counter if offset <= 0 => return Err(Status::BadArgument),
            MetricKind::Histogram => return Err(Status::BadArgument),
            MetricKind::Counter | MetricKind::Gauge => {
                metric.value = metric.value.saturating_add_signed(offset)
            }
        }
        Ok(())
    }

    pub(crate) fn record(&mut self, id: u32, value: u64) -> Result<(), Status> {
        let metric = self.metric(id)?;
        match metric.kind {
            // Envoy adds here: `record` on a counter is no set.
            MetricKind::Counter => metric.value = metric.value.saturating_add(value),
            MetricKind::Gauge => metric.value = value,
            MetricKind::Histogram => {
                metric.value = value;
                metric.samples.push(value);
            }
        }
        Ok(())
    }

    pub(crate) fn value(&mut self, id: u32) -> Result<u64, Status> {
        let metric = self.metric(id)?;
        if metric.kind == MetricKind::Histogram {
            Err(Status::BadArgument)
        } else {
            Ok(metric.value)
        }
    }

    pub(crate) fn by_name(&self) -> BTreeMap<String, Metric> {
        self.defined
            .iter()
            .map(|(name, metric)| (String::from_utf8_lossy(name).into_owned(), metric.clone()))
            .collect()
    }

    fn metric(&mut self, id: u32) -> Result<&mut Metric, Status> {
        let index = id.checked_sub(1).ok_or(Status::NotFound)?;
        self.defined
            .get_mut(index as usize)
            .map(|(_, metric)| metric)
            .ok_or(Status::NotFound)
    }
}
