//! A number for each of some positions of a code: what is stored is proportional to where they lie, not to how long the code is.

/// Positions of one page.
const PAGE: usize = 64;

/// Numbers by position, 0 where none was put.
#[derive(Clone, Debug, Default)]
pub(super) struct Sparse {
    /// Of each page of positions, where it is stored, plus one; 0 where all its numbers are 0.
    pages: Vec<u32>,
    stored: Vec<[u32; PAGE]>,
}

impl Sparse {
    /// Room for positions below `len`.
    pub fn new(len: usize) -> Sparse {
        Sparse { pages: vec![0; len.div_ceil(PAGE)], stored: Vec::new() }
    }

    /// The number at a position; 0 where there is none.
    #[inline]
    pub fn get(&self, at: usize) -> u32 {
        let page = self.pages.get(at / PAGE).and_then(|page| page.checked_sub(1));
        page.map_or(0, |page| self.stored[page as usize][at % PAGE])
    }

    /// Puts a number at a position; gives the one that was there.
    ///
    /// # Panics
    ///
    /// If there is no room for the position.
    pub fn replace(&mut self, at: usize, number: u32) -> u32 {
        let page = &mut self.pages[at / PAGE];
        if *page == 0 {
            self.stored.push([0; PAGE]);
            *page = self.stored.len() as u32;
        }
        core::mem::replace(&mut self.stored[*page as usize - 1][at % PAGE], number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_where_they_were_put() {
        let mut sparse = Sparse::new(1000);
        let positions = [0, 1, 63, 64, 65, 640, 999];
        for (n, at) in (1..).zip(positions) {
            assert_eq!(sparse.replace(at, n), 0);
            assert_eq!(sparse.replace(at, 10 * n), n);
        }
        let found: Vec<_> = (0..2000).filter(|&at| sparse.get(at) != 0).collect();
        assert_eq!(found, positions);
        assert_eq!(positions.map(|at| sparse.get(at)), [10, 20, 30, 40, 50, 60, 70]);
    }
}
