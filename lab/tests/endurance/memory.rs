//! What a process holds, as it goes on: three views, because each hides something.

use std::fs;

use lab::Envoy;
use serde_json::Value;

use crate::random::Random;

/// Bytes at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// What the process occupies, all of it: allocator, V8's heaps, the modules' memories.
    resident: u64,
    /// What Envoy itself has allocated and not freed, by its admin interface. Neither V8 nor the modules stand in it.
    allocated: u64,
    /// The linear memories of all VMs: what modules took and can never give back.
    linear: u64,
    /// The VMs.
    vms: usize,
}

impl Memory {
    pub fn of(envoy: &Envoy) -> Self {
        let linear = linear_memories(&read(envoy, "maps"));
        assert!(
            !linear.is_empty(),
            "no linear memory found in Envoy's mappings"
        );
        Self {
            resident: resident(&read(envoy, "status")),
            allocated: allocated(&envoy.admin("/memory").unwrap()),
            linear: linear.iter().sum(),
            vms: linear.len(),
        }
    }
}

/// Moments in their order, the first after the warm-up.
#[derive(Default)]
pub struct Series(Vec<Memory>);

impl Series {
    pub fn add(&mut self, memory: Memory) {
        self.0.push(memory);
    }

    /// For whoever reads the test's output: one line per view.
    pub fn print(&self, of: &str) {
        for view in VIEWS {
            let values: Vec<String> = self
                .0
                .iter()
                .map(|memory| kibibytes((view.read)(memory)))
                .collect();
            println!("{of}: {} KiB {}", view.name, values.join(" "));
        }
        println!(
            "{of}: VMs {:?}",
            self.0.iter().map(|memory| memory.vms).collect::<Vec<_>>()
        );
    }

    /// The views whose last third rises above the first third by more than the margin, with this many reconfigurations on the way; empty when memory is flat.
    pub fn growth(&self, reconfigurations: usize) -> Vec<String> {
        let third = self.0.len().div_ceil(3);
        let (first, last) = (&self.0[..third], &self.0[self.0.len() - third..]);
        let most = |of: &[Memory], view: &View| of.iter().map(view.read).max().unwrap_or(0);
        VIEWS
            .iter()
            .filter_map(|view| {
                let (before, after) = (most(first, view), most(last, view));
                let kept = view.each * reconfigurations as u64;
                let limit = before + before * view.percent / 100 + view.more + kept;
                (after > limit).then(|| {
                    format!(
                        "{}: {} KiB in the first third, {} KiB in the last, at most {} KiB",
                        view.name,
                        kibibytes(before),
                        kibibytes(after),
                        kibibytes(limit)
                    )
                })
            })
            .collect()
    }
}

struct View {
    name: &'static str,
    read: fn(&Memory) -> u64,
    /// The margin: this much of what was there, and this many bytes more.
    percent: u64,
    more: u64,
    /// And this many for each reconfiguration.
    each: u64,
}

/// The margins. Linear memory is exact: two pages for each of the two VMs that serve are what fragments took in 6,000 reconfigurations, after which it stayed; less than half a byte for
/// each request of a soak.
/// Envoy's own heap is quiet, too, but it keeps some 1.4 KiB of every configuration it took: 0.7 KiB whatever the module does, 0.7 KiB for the timer of a root context that ticked, which
/// `Wasm::setTimerPeriod` never frees, and 0.05 KiB for a metric's id (measured, Envoy 1.40, with modules that do only the one or the other). What is resident moves by itself: V8's heaps
/// grow and shrink with their garbage by some MiB.
const VIEWS: [View; 3] = [
    View {
        name: "resident",
        read: |memory| memory.resident,
        percent: 5,
        more: 4 << 20,
        each: 0,
    },
    View {
        name: "allocated",
        read: |memory| memory.allocated,
        percent: 2,
        more: 256 << 10,
        each: 2 << 10,
    },
    View {
        name: "linear",
        read: |memory| memory.linear,
        percent: 0,
        more: 4 * PAGE,
        each: 0,
    },
];

/// Of linear memory (WebAssembly core specification, section 2.5.5).
const PAGE: u64 = 64 << 10;

/// V8 reserves at least 4 GiB of addresses for each linear memory and opens as much of it as the module has: readable and writable pages with what is left of the reservation behind them.
fn linear_memories(maps: &str) -> Vec<u64> {
    let mappings: Vec<(u64, u64, &str)> = maps.lines().filter_map(mapping).collect();
    let pairs = mappings.windows(2).filter_map(|pair| {
        let [(start, end, rights), (next, next_end, next_rights)] = *pair else {
            return None;
        };
        let opened = rights == "rw-p" && next_rights == "---p" && end == next;
        (opened && next_end - start >= 4 << 30 && (end - start) % PAGE == 0).then_some(end - start)
    });
    pairs.collect()
}

/// Start, end and rights of a line of `maps`.
fn mapping(line: &str) -> Option<(u64, u64, &str)> {
    let (range, rest) = line.split_once(' ')?;
    let (start, end) = range.split_once('-')?;
    let number = |text| u64::from_str_radix(text, 16).ok();
    Some((number(start)?, number(end)?, rest.get(..4)?))
}

fn resident(status: &str) -> u64 {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

fn allocated(memory: &str) -> u64 {
    let json: Value = serde_json::from_str(memory).unwrap();
    json["allocated"].as_str().unwrap().parse().unwrap()
}

fn read(envoy: &Envoy, file: &str) -> String {
    fs::read_to_string(format!("/proc/{}/{file}", envoy.id())).unwrap()
}

fn kibibytes(bytes: u64) -> String {
    (bytes >> 10).to_string()
}

/// What a step of growth does.
type Creep = fn(&mut Memory, u64);

/// A series that goes up and down within the margins is flat; one that creeps is not, in whichever view.
#[test]
fn creeping_growth_is_found_in_every_view() {
    let mut random = Random::new(7);
    let mut noise = |of: u64| of + random.bits() % (of / 50);
    let flat: Vec<Memory> = (0..11)
        .map(|_| Memory {
            resident: noise(100 << 20),
            allocated: noise(10 << 20),
            linear: 50 * PAGE,
            vms: 3,
        })
        .collect();
    assert_eq!(Series(flat.clone()).growth(0), Vec::<String>::new());
    let creeping: [(&str, Creep); 3] = [
        ("resident", |memory, step| memory.resident += step << 21),
        ("allocated", |memory, step| memory.allocated += step << 19),
        ("linear", |memory, step| memory.linear += step * PAGE),
    ];
    for (name, creep) in creeping {
        let mut series = flat.clone();
        series
            .iter_mut()
            .zip(0..)
            .for_each(|(memory, step)| creep(memory, step));
        let growth = Series(series).growth(0);
        assert!(
            growth.len() == 1 && growth[0].starts_with(name),
            "{growth:?}"
        );
    }
}
