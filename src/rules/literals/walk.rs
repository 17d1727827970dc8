//! Reads a text through the automaton, in lanes side by side: each step waits for memory, and the steps of one lane depend
//! on each other.
//!
//! Guarantees: tells the very states that one reading from beginning to end would meet. Knows nothing of literals.

use super::super::limits::{LITERAL_STATES_MAX, LITERAL_WINDOW_MAX};
use super::is_space;

/// Kinds of bytes that the automaton tells apart; a power of two, so that a row is found by a shift.
pub(super) const KINDS: usize = 64;
/// Marks a state where something is to be compared.
pub(super) const MARK: u16 = 1 << 15;
/// Lanes read side by side: enough to hide the latency of the second-level cache.
const LANES: usize = 8;
/// Bytes of a lane, in texts that fill long lanes and in what is left of them.
const LONG: usize = 128;
const SHORT: usize = 16;
/// How far back the beginning of a lane may look for what a window reaches back to; white space may be longer.
const BACK_BYTES_MAX: usize = 64;
/// Bytes before a lane that decide in which state it begins.
const BEFORE: usize = LITERAL_WINDOW_MAX - 1;

/// Ends of windows and the states there, in order; room that one text after another uses.
#[derive(Debug, Default)]
pub(in super::super) struct Hits {
    pub(super) all: Vec<(u32, u16)>,
    /// Of the lanes that are being read.
    lanes: [Vec<(u32, u16)>; LANES],
}

/// Room for so many ends of windows is kept from query to query: those of a hundred kilobytes of prose.
const HITS_KEPT_MAX: usize = 8 << 10;

impl Hits {
    /// Whether it may be kept for the next query.
    pub(super) fn is_small(&self) -> bool {
        self.all.capacity() <= HITS_KEPT_MAX && self.lanes.iter().all(|lane| lane.capacity() <= HITS_KEPT_MAX)
    }
}

/// The automaton without what ends at its states.
#[derive(Debug)]
pub(super) struct Automaton {
    kinds: [u8; 256],
    cells: Cells,
}

/// Next states, a row of [`KINDS`] for each state. The length is a power of two and part of the type, so that no step has
/// to ask whether its cell is there.
#[derive(Debug)]
enum Cells {
    Few(Box<[u16; KINDS << 9]>),
    Some(Box<[u16; KINDS << 12]>),
    Many(Box<[u16; KINDS * LITERAL_STATES_MAX]>),
}

impl Automaton {
    /// Lays rows out, at most [`LITERAL_STATES_MAX`].
    pub(super) fn new(kinds: [u8; 256], rows: &[[u16; KINDS]]) -> Self {
        let cells = match rows.len() {
            0..=0x200 => Cells::Few(laid_out(rows)),
            0x201..=0x1000 => Cells::Some(laid_out(rows)),
            _ => Cells::Many(laid_out(rows)),
        };
        Self { kinds, cells }
    }

    /// Finds the ends of windows.
    pub(super) fn hits(&self, text: &[u8], hits: &mut Hits) {
        hits.all.clear();
        let kinds = &self.kinds;
        match &self.cells {
            Cells::Few(cells) => Reading { kinds, cells, text, hits }.all(),
            Cells::Some(cells) => Reading { kinds, cells, text, hits }.all(),
            Cells::Many(cells) => Reading { kinds, cells, text, hits }.all(),
        }
    }
}

/// What lies beyond the rows is never touched, and so takes no memory.
#[expect(clippy::unnecessary_box_returns, reason = "megabytes do not go on the stack")]
fn laid_out<const CELLS: usize>(rows: &[[u16; KINDS]]) -> Box<[u16; CELLS]> {
    let mut cells = vec![0; CELLS];
    for (cell, next) in cells.iter_mut().zip(rows.as_flattened()) {
        *cell = *next;
    }
    cells.into_boxed_slice().try_into().unwrap_or_else(|_| Box::new([0; CELLS]))
}

struct Reading<'r, const CELLS: usize> {
    kinds: &'r [u8; 256],
    cells: &'r [u16; CELLS],
    text: &'r [u8],
    hits: &'r mut Hits,
}

impl<const CELLS: usize> Reading<'_, CELLS> {
    fn all(&mut self) {
        let state = self.in_lanes::<LONG>(0, 0);
        let at = self.text.len() / (LANES * LONG) * (LANES * LONG);
        let state = self.in_lanes::<SHORT>(at, state);
        let at = at + (self.text.len() - at) / (LANES * SHORT) * (LANES * SHORT);
        self.alone(at..self.text.len(), state);
    }

    /// Reads as many full sets of lanes as there are from `at` on, and says in which state they end.
    fn in_lanes<const BYTES: usize>(&mut self, mut at: usize, mut state: u16) -> u16 {
        let (lanes, _) = self.text.get(at..).unwrap_or_default().as_chunks::<BYTES>();
        for lanes in lanes.as_chunks::<LANES>().0 {
            let end = at + LANES * BYTES;
            state = match self.beginnings::<BYTES>(at, state) {
                Some(states) => self.side_by_side(at, lanes, states),
                None => self.alone(at..end, state),
            };
            at = end;
        }
        state
    }

    /// The states in which lanes begin; `None` when one would have to look back too far.
    #[inline]
    fn beginnings<const BYTES: usize>(&self, at: usize, first: u16) -> Option<[u16; LANES]> {
        let mut before = [[0; BEFORE]; LANES];
        for (lane, before) in before.iter_mut().enumerate().skip(1) {
            *before = *self.text.get(..at + lane * BYTES)?.last_chunk()?;
        }
        let mut states = [0; LANES];
        for step in 0..BEFORE {
            for (state, before) in states.iter_mut().zip(&before) {
                *state = self.next(*state, before[step]);
            }
        }
        for (lane, state) in states.iter_mut().enumerate().skip(1) {
            if before[lane].array_windows().any(|[one, next]| is_space(*one) && is_space(*next)) {
                *state = self.beginning(at + lane * BYTES)?;
            }
        }
        states[0] = first;
        Some(states)
    }

    /// The state at a place, where runs of white space before it count as one space.
    #[cold]
    fn beginning(&self, at: usize) -> Option<u16> {
        let (mut start, mut left) = (at, BEFORE);
        while left > 0 && start > 0 {
            start -= 1;
            let byte = *self.text.get(start)?;
            let goes_on =
                is_space(byte) && start.checked_sub(1).and_then(|at| self.text.get(at)).is_some_and(|b| is_space(*b));
            left -= usize::from(!goes_on);
            if at - start > BACK_BYTES_MAX {
                return None;
            }
        }
        Some(self.text.get(start..at)?.iter().fold(0, |state, byte| self.next(state, *byte)))
    }

    fn side_by_side<const BYTES: usize>(
        &mut self,
        at: usize,
        lanes: &[[u8; BYTES]; LANES],
        mut now: [u16; LANES],
    ) -> u16 {
        let [l0, l1, l2, l3, l4, l5, l6, l7] = lanes;
        for step in 0..BYTES {
            // Spelled out, so that the states stay in registers.
            let [s0, s1, s2, s3, s4, s5, s6, s7] = now;
            now = [
                self.next(s0, l0[step]),
                self.next(s1, l1[step]),
                self.next(s2, l2[step]),
                self.next(s3, l3[step]),
                self.next(s4, l4[step]),
                self.next(s5, l5[step]),
                self.next(s6, l6[step]),
                self.next(s7, l7[step]),
            ];
            if now.iter().fold(0, |marks, state| marks | *state) >= MARK {
                self.marked(at + step + 1, BYTES, now);
            }
        }
        for lane in &mut self.hits.lanes {
            self.hits.all.append(lane);
        }
        now[LANES - 1]
    }

    /// Notes which of the lanes are at a mark.
    fn marked(&mut self, first: usize, bytes: usize, states: [u16; LANES]) {
        let lanes = states.into_iter().zip(&mut self.hits.lanes).enumerate();
        for (lane, (state, hits)) in lanes.filter(|(_, (state, _))| *state >= MARK) {
            hits.push((narrow(first + lane * bytes), state));
        }
    }

    fn alone(&mut self, range: std::ops::Range<usize>, mut state: u16) -> u16 {
        let start = range.start;
        for (at, byte) in self.text.get(range).unwrap_or_default().iter().enumerate() {
            state = self.next(state, *byte);
            if state >= MARK {
                self.hits.all.push((narrow(start + at + 1), state));
            }
        }
        state
    }

    /// The state after a byte. The mark falls off with what is beyond the cells.
    #[inline]
    fn next(&self, state: u16, byte: u8) -> u16 {
        let cell = (usize::from(state) * KINDS) | usize::from(self.kinds[usize::from(byte)]);
        self.cells[cell & (CELLS - 1)]
    }
}

/// Bodies end far below `u32::MAX`.
fn narrow(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
