//! Which namespaces are looked at, and how the watches of several make one list.
//!
//! Guarantees that a list counts as read only when every namespace was read once, and that what a namespace no longer lists
//! is gone.

use std::collections::BTreeSet;

use kube::runtime::watcher::Event;
use kube::{Api, Client, Resource};

use super::listing::Change;

/// Which namespaces are looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Scope {
    /// All there are, and all that will be.
    Cluster,
    /// These.
    Namespaces(BTreeSet<String>),
}

impl Scope {
    /// Nothing named means all.
    pub(super) fn of(named: &[String]) -> Self {
        if named.is_empty() { Self::Cluster } else { Self::Namespaces(named.iter().cloned().collect()) }
    }

    /// What is to be listed and watched to see all of a kind that lives in namespaces.
    pub(super) fn apis<R>(&self, client: &Client, kind: &R::DynamicType) -> Vec<Api<R>>
    where
        R: Resource<Scope = kube::core::DynamicResourceScope>,
    {
        match self {
            Self::Cluster => vec![Api::all_with(client.clone(), kind)],
            Self::Namespaces(names) => {
                names.iter().map(|name| Api::namespaced_with(client.clone(), name, kind)).collect()
            }
        }
    }

    /// The same for a kind of Kubernetes' own.
    pub(super) fn known<R>(&self, client: &Client) -> Vec<Api<R>>
    where
        R: Resource<Scope = kube::core::NamespaceResourceScope>,
        R::DynamicType: Default,
    {
        match self {
            Self::Cluster => vec![Api::all(client.clone())],
            Self::Namespaces(names) => names.iter().map(|name| Api::namespaced(client.clone(), name)).collect(),
        }
    }
}

/// What one namespace has told.
#[derive(Debug)]
struct Part<K> {
    there: BTreeSet<K>,
    /// Named by the list that is being read.
    named: BTreeSet<K>,
    whole: bool,
}

/// Several lists as one.
#[derive(Debug)]
pub(super) struct Joined<K> {
    parts: Vec<Part<K>>,
    begun: bool,
    whole: bool,
}

impl<K: Ord + Clone> Joined<K> {
    /// Of so many lists.
    pub(super) fn of(lists: usize) -> Self {
        let part = || Part { there: BTreeSet::new(), named: BTreeSet::new(), whole: false };
        Self { parts: std::iter::repeat_with(part).take(lists).collect(), begun: false, whole: false }
    }

    /// What an event of one list means for all of them. What `read` says nothing of is nothing; what it gives no value for is as
    /// good as gone.
    pub(super) fn take<R, V>(
        &mut self,
        list: usize,
        event: Event<R>,
        read: impl Fn(&R) -> Option<(K, Option<V>)>,
    ) -> Vec<Change<K, V>> {
        let Some(part) = self.parts.get_mut(list) else { return Vec::new() };
        match event {
            Event::Init => {
                part.named.clear();
                let first = !std::mem::replace(&mut self.begun, true);
                if first { vec![Change::ListBegins] } else { Vec::new() }
            }
            Event::InitApply(object) | Event::Apply(object) => read(&object).map_or_else(Vec::new, |(key, value)| {
                if let Some(value) = value {
                    part.named.insert(key.clone());
                    part.there.insert(key.clone());
                    vec![Change::There(key, value)]
                } else {
                    part.there.remove(&key);
                    vec![Change::Gone(key)]
                }
            }),
            Event::Delete(object) => read(&object).map_or_else(Vec::new, |(key, _)| {
                part.there.remove(&key);
                vec![Change::Gone(key)]
            }),
            Event::InitDone => {
                part.whole = true;
                let named = std::mem::take(&mut part.named);
                let gone: Vec<K> = part.there.difference(&named).cloned().collect();
                part.there = named;
                let mut changes: Vec<_> = gone.into_iter().map(Change::Gone).collect();
                if !self.whole && self.parts.iter().all(|part| part.whole) {
                    self.whole = true;
                    changes.push(Change::ListEnds);
                }
                changes
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What changes are told, shortly: `+a` is there, `-a` is gone, `(` begins and `)` ends.
    #[track_caller]
    fn check(joined: &mut Joined<char>, list: usize, events: Vec<Event<char>>, expected: &str) {
        let read = |object: &char| Some((*object, object.is_lowercase().then_some(())));
        let changes = events.into_iter().flat_map(|event| joined.take(list, event, read));
        let told: String = changes
            .map(|change| match change {
                Change::ListBegins => "(".to_owned(),
                Change::ListEnds => ")".to_owned(),
                Change::There(key, ()) => format!("+{key}"),
                Change::Gone(key) => format!("-{key}"),
            })
            .collect();
        assert_eq!(told, expected);
    }

    #[test]
    fn a_list_of_several_is_whole_when_each_was_read() {
        let mut joined = Joined::of(2);
        check(&mut joined, 0, vec![Event::Init, Event::InitApply('a'), Event::InitDone], "(+a");
        check(&mut joined, 0, vec![Event::Apply('b')], "+b");
        check(&mut joined, 1, vec![Event::Init, Event::InitApply('c'), Event::InitDone], "+c)");
        check(&mut joined, 1, vec![Event::Apply('D'), Event::Delete('c')], "-D-c");
    }

    #[test]
    fn what_a_later_list_does_not_name_is_gone_and_nothing_of_another() {
        let mut joined = Joined::of(2);
        check(
            &mut joined,
            0,
            vec![Event::Init, Event::InitApply('a'), Event::InitApply('b'), Event::InitDone],
            "(+a+b",
        );
        check(&mut joined, 1, vec![Event::Init, Event::InitApply('c'), Event::InitDone], "+c)");
        check(&mut joined, 0, vec![Event::Init, Event::InitApply('b'), Event::InitDone], "+b-a");
        check(&mut joined, 0, vec![Event::Init, Event::InitDone], "-b");
    }

    #[test]
    fn a_first_list_that_broke_off_leaves_nothing_behind() {
        let mut joined = Joined::of(1);
        check(&mut joined, 0, vec![Event::Init, Event::InitApply('a')], "(+a");
        check(&mut joined, 0, vec![Event::Init, Event::InitApply('b'), Event::InitDone], "+b-a)");
    }

    #[test]
    fn nothing_named_means_all() {
        assert_eq!(Scope::of(&[]), Scope::Cluster);
        let named = ["b".to_owned(), "a".to_owned(), "b".to_owned()];
        assert_eq!(Scope::of(&named), Scope::Namespaces(BTreeSet::from(["a".to_owned(), "b".to_owned()])));
    }
}
