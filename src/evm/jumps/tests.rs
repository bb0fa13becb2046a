//! Every version of the scan against the definition, instruction by instruction.

use super::*;

/// The definition (yellow paper, appendix on valid jump destinations), a bool per byte, and the next instruction's start.
fn definition(code: &[u8], entry: usize) -> (Vec<bool>, usize) {
    let mut valid = vec![false; code.len()];
    let mut at = entry;
    while at < code.len() {
        valid[at] = code[at] == 0x5b;
        at += match code[at] {
            push @ 0x60..=0x7f => push as usize - 0x5e,
            _ => 1,
        };
    }
    (valid, at - code.len())
}

/// xorshift64*
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// Code in one of several mixes of PUSH, JUMPDEST and other bytes.
    fn code(&mut self, len: usize) -> Vec<u8> {
        let mix = self.below(6);
        let width = self.below(32) as u8;
        let byte = |random: &mut Random| match mix {
            0 => random.next() as u8,
            1 => 0x60 + random.below(32) as u8,
            2 => [0x5b, 0x60 + width][random.below(2) as usize],
            3 => [0x5b, 0x60, 0x61, 0x01][random.below(4) as usize],
            4 => [0x5b, 0x7f, 0x5f, 0x80][random.below(4) as usize],
            _ => [0x5b, 0x5b, 0x5b, 0x5b, 0x60 + width][random.below(5) as usize],
        };
        (0..len).map(|_| byte(self)).collect()
    }
}

const ROUNDS: usize = if cfg!(miri) { 4 } else { 2000 };

type Scan = fn(&[u8], Frontier, &[AtomicU8]) -> Frontier;

/// Instruction by instruction, and the fastest that this machine can run.
const VERSIONS: [(&str, Scan); 2] = [("walk", |code, from, bits| walk(code, from, bits, usize::MAX)), ("scan", scan)];

fn check(code: &[u8], entry: usize) {
    let (valid, carry) = definition(code, entry);
    for (name, scan) in VERSIONS {
        let bits: Vec<_> = (0..code.len().next_multiple_of(BLOCK) / 8).map(|_| AtomicU8::new(0)).collect();
        let reached = scan(code, Frontier::new(0, entry), &bits);
        let bit = |at: usize| bits[at / 8].load(Ordering::Relaxed) >> (at % 8) & 1 != 0;
        for (at, valid) in valid.iter().enumerate() {
            assert_eq!(bit(at), *valid, "{name}: byte {at} of {code:02x?}, entered at {entry}");
        }
        if code.len().is_multiple_of(BLOCK) {
            assert_eq!(reached, Frontier::new(code.len(), carry), "{name}: {code:02x?}");
        }
    }
}

#[test]
fn random_code() {
    let mut random = Random(1);
    for round in 0..ROUNDS {
        let len = if round % 2 == 0 { random.below(4000) as usize } else { BLOCK * random.below(30) as usize };
        let code = random.code(len);
        let entry = random.below(33) as usize;
        check(&code, if round % 3 == 0 { entry.min(len) } else { 0 });
    }
}

#[test]
fn every_push_at_every_place_of_a_block() {
    let places = if cfg!(miri) { (0..BLOCK).step_by(15) } else { (0..BLOCK).step_by(1) };
    for place in places {
        for push in 0x5f..=0x80 {
            for filler in [0x5b, 0x60, 0x7f] {
                let mut code = [filler; 2 * BLOCK];
                code[..place].fill(0x5b);
                code[place] = push;
                check(&code, 0);
                // Truncated at any distance behind the PUSH.
                check(&code[..(place + (push as usize & 31) + 1).min(2 * BLOCK)], 0);
            }
        }
    }
}

#[test]
fn every_byte_repeated_and_every_entry() {
    let bytes = if cfg!(miri) { (0x5a..=0x80).step_by(9) } else { (0..=0xff).step_by(1) };
    for byte in bytes {
        for entry in 0..=32 {
            check(&[byte; BLOCK], entry);
        }
        let code: Vec<u8> = (0..3 * BLOCK).map(|at| if at % 2 == 0 { byte } else { 0x5b }).collect();
        check(&code, 0);
        check(&code[1..], 0);
    }
}

#[test]
fn short_codes() {
    let mut random = Random(5);
    for round in 0..ROUNDS {
        let code = random.code(round % (SHORT + 1));
        let (valid, _) = definition(&code, 0);
        let found = of_short(&code);
        for (pc, valid) in valid.iter().enumerate() {
            assert_eq!(found[pc / 8] >> (pc % 8) & 1 != 0, *valid, "byte {pc} of {code:02x?}");
        }
    }
}

#[test]
fn only_what_is_asked_for_is_scanned() {
    let code = [0x5b; 10 * STRIDE + 7];
    let map = JumpMap::new();
    let base = |map: &JumpMap| Frontier(map.frontier.load(Ordering::Relaxed)).base();
    for (pc, known) in [(0, STRIDE), (STRIDE - 1, STRIDE), (STRIDE, 2 * STRIDE), (4 * STRIDE + 5, 5 * STRIDE), (3, 5 * STRIDE)] {
        assert!(map.contains(&code, pc));
        assert_eq!(base(&map), known);
    }
    assert!(map.contains(&code, code.len() - 1));
    assert_eq!(base(&map), 10 * STRIDE + BLOCK);
}

#[test]
fn destinations_asked_for_in_any_order() {
    let mut random = Random(2);
    for _ in 0..ROUNDS / 10 + 1 {
        let len = 1 + random.below(4000) as usize;
        let code = random.code(len);
        let (valid, _) = definition(&code, 0);
        let map = JumpMap::new();
        for _ in 0..50 {
            let pc = random.below(code.len() as u64) as usize;
            assert_eq!(map.contains(&code, pc), valid[pc], "byte {pc} of {code:02x?}");
        }
    }
}

#[test]
fn threads_agree() {
    let mut random = Random(3);
    for round in 0..ROUNDS as u64 / 100 + 1 {
        let code = random.code(if cfg!(miri) { 1500 } else { 24576 });
        let (valid, _) = definition(&code, 0);
        let map = JumpMap::new();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let (code, valid, map) = (&code, &valid, &map);
                scope.spawn(move || {
                    let mut random = Random(4 + 4 * round + thread);
                    let mut limit = 1;
                    while limit < code.len() as u64 {
                        let pc = random.below(limit) as usize;
                        assert_eq!(map.contains(code, pc), valid[pc], "byte {pc}");
                        limit += random.below(400);
                    }
                });
            }
        });
    }
}
