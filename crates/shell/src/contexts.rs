//! Contexts by the host's numbers.

/// What is kept for each context. The host counts upwards, so a new one is the last nearly always; a search tree or a
/// hash map would be 10 KB of every filter.
pub(crate) struct Contexts<T> {
    /// By number, ascending. Boxed, since those behind one that goes move up.
    by_id: Vec<(u32, Box<T>)>,
}

impl<T> Default for Contexts<T> {
    fn default() -> Self {
        Self { by_id: Vec::new() }
    }
}

impl<T> Contexts<T> {
    /// Keeps `context`, in place of one of the same number.
    pub(crate) fn insert(&mut self, id: u32, context: T) {
        let context = Box::new(context);
        match self.place(id) {
            Ok(at) => {
                if let Some(place) = self.by_id.get_mut(at) {
                    place.1 = context;
                }
            }
            Err(at) => self.by_id.insert(at, (id, context)),
        }
    }

    pub(crate) fn get(&self, id: u32) -> Option<&T> {
        let at = self.place(id).ok()?;
        self.by_id.get(at).map(|(_, context)| context.as_ref())
    }

    pub(crate) fn get_mut(&mut self, id: u32) -> Option<&mut T> {
        let at = self.place(id).ok()?;
        self.by_id.get_mut(at).map(|(_, context)| context.as_mut())
    }

    /// Forgets a context; whether there was one.
    pub(crate) fn remove(&mut self, id: u32) -> bool {
        let place = self.place(id);
        if let Ok(at) = place {
            self.by_id.remove(at);
        }
        place.is_ok()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (u32, &mut T)> {
        self.by_id.iter_mut().map(|(id, context)| (*id, context.as_mut()))
    }

    fn place(&self, id: u32) -> Result<usize, usize> {
        self.by_id.binary_search_by_key(&id, |(id, _)| *id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_has_its_own_in_whatever_order_they_come_and_go() {
        let mut contexts = Contexts::default();
        for id in [5, 1, 9, 3, u32::MAX] {
            contexts.insert(id, id.to_string());
        }
        contexts.insert(3, "again".to_owned());
        assert!(contexts.remove(1));
        assert!(!contexts.remove(1));
        assert_eq!(contexts.get(1), None);
        assert_eq!(contexts.get(3).map(String::as_str), Some("again"));
        contexts.get_mut(9).unwrap().push('!');
        let all: Vec<(u32, &mut String)> = contexts.iter_mut().collect();
        let all: Vec<(u32, &str)> = all.into_iter().map(|(id, s)| (id, s.as_str())).collect();
        assert_eq!(all, [(3, "again"), (5, "5"), (9, "9!"), (u32::MAX, "4294967295")]);
    }
}
