//! The kept connections to one endpoint.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::Rc,
};

use super::connection::Connection;

/// Keeps connections for further requests, and uses them in turn, so that each is idle equally long.
#[derive(Debug)]
pub(super) struct Pool {
    idle: RefCell<VecDeque<Kept>>,
    places: Rc<Cell<usize>>,
}

/// A connection that goes back to its pool.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) connection: Connection,
    place: Place,
}

/// The right to one kept connection; given back when dropped.
#[derive(Debug)]
pub(super) struct Place(Rc<Cell<usize>>);

/// What to send the next request on.
#[derive(Debug)]
pub(super) enum Taken {
    /// A connection that was kept.
    Kept(Kept),
    /// A new one in the place of one that was closed while idle.
    Replacing(Place),
    /// A new one, to be kept if there is a place.
    New(Option<Place>),
}

impl Pool {
    /// Keeps up to `places` connections.
    pub(super) fn new(places: usize) -> Self {
        Self { idle: RefCell::default(), places: Rc::new(Cell::new(places)) }
    }

    /// New connections come first, until there are as many as may be kept; then the one that is idle longest.
    pub(super) fn take(&self) -> Taken {
        if let Some(place) = self.place() {
            return Taken::New(Some(place));
        }
        match self.idle.borrow_mut().pop_front() {
            Some(kept) if kept.connection.is_fresh() => Taken::Kept(kept),
            Some(closed) => Taken::Replacing(closed.into_place()),
            None => Taken::New(None),
        }
    }

    /// Takes back a connection that is ready for another request.
    pub(super) fn put(&self, kept: Kept) {
        self.idle.borrow_mut().push_back(kept);
    }

    fn place(&self) -> Option<Place> {
        let places = self.places.get().checked_sub(1)?;
        self.places.set(places);
        Some(Place(self.places.clone()))
    }
}

impl Kept {
    pub(super) fn new(connection: Connection, place: Place) -> Self {
        Self { connection, place }
    }

    /// The place without the connection, which is closed.
    pub(super) fn into_place(self) -> Place {
        self.place
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}
