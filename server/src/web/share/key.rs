//! The token of the viewers' link. There is one at a time or none; taking it back ends everything
//! that came in with it.

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use app::model::{Role, UnixMillis};
use http::HeaderMap;
use subtle::ConstantTimeEq;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use crate::engine::clock;
use crate::web::tokens::{Bearer, Keys, presented, random_token};

/// Holds the link that is open now.
#[derive(Debug, Default)]
pub struct ShareKey {
    link: Mutex<Option<Arc<Link>>>,
}

/// One link, from its opening to its end.
pub struct Link {
    token: Zeroizing<String>,
    pub since: UnixMillis,
    ended: CancellationToken,
    watching: AtomicU32,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Link(…)")
    }
}

impl Link {
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Cancelled when the link is taken back.
    pub fn ended(&self) -> &CancellationToken {
        &self.ended
    }

    /// How many watch through it now.
    pub fn watching(&self) -> u32 {
        self.watching.load(Ordering::SeqCst)
    }

    pub fn joined(&self) {
        self.watching.fetch_add(1, Ordering::SeqCst);
    }

    pub fn left(&self) {
        self.watching.fetch_sub(1, Ordering::SeqCst);
    }
}

impl ShareKey {
    /// Makes a new link; the former one ends. Fails only when the system has no randomness to give.
    pub fn renew(&self) -> std::io::Result<Arc<Link>> {
        let link = Arc::new(Link {
            token: random_token()?,
            since: clock::now(),
            ended: CancellationToken::new(),
            watching: AtomicU32::new(0),
        });
        if let Some(former) = self.lock().replace(Arc::clone(&link)) {
            former.ended.cancel();
        }
        Ok(link)
    }

    /// Ends the link and calls `told` before anyone can open another. Tells whether there was one.
    pub fn revoke(&self, told: impl FnOnce()) -> bool {
        let mut link = self.lock();
        let Some(former) = link.take() else {
            return false;
        };
        former.ended.cancel();
        told();
        true
    }

    pub fn current(&self) -> Option<Arc<Link>> {
        self.lock().clone()
    }

    /// Runs `act` if this is the link that is open, and nothing changes that meanwhile.
    pub fn while_current(&self, link: &Arc<Link>, act: impl FnOnce()) {
        let current = self.lock();
        if current
            .as_ref()
            .is_some_and(|current| Arc::ptr_eq(current, link))
        {
            act();
        }
    }

    /// The link whose token the request carries.
    pub fn link_of(&self, headers: &HeaderMap) -> Option<Arc<Link>> {
        let token = presented(headers).ok()??;
        self.current()
            .filter(|link| bool::from(token.ct_eq(link.token.as_bytes())))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<Link>>> {
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Keys for ShareKey {
    fn bearer(&self, headers: &HeaderMap) -> Bearer {
        match presented(headers) {
            Ok(None) => Bearer::None,
            Ok(Some(_)) if self.link_of(headers).is_some() => Bearer::Role(Role::Viewer),
            _ => Bearer::Wrong,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(token: &str) -> HeaderMap {
        let value = format!("Bearer {token}").parse().expect("a header");
        HeaderMap::from_iter([(http::header::AUTHORIZATION, value)])
    }

    #[test]
    fn a_link_taken_back_opens_nothing_and_ends_what_came_in_with_it() {
        let key = ShareKey::default();
        let first = key.renew().expect("randomness");
        let with_first = headers(first.token());
        assert_eq!(key.bearer(&with_first), Bearer::Role(Role::Viewer));
        let second = key.renew().expect("randomness");
        assert!(first.ended().is_cancelled(), "a new link ends the former");
        assert_eq!(key.bearer(&with_first), Bearer::Wrong);
        assert!(key.revoke(|| {}));
        assert!(second.ended().is_cancelled());
        assert_eq!(key.bearer(&headers(second.token())), Bearer::Wrong);
        assert!(!key.revoke(|| panic!("nothing to end")));
        assert_eq!(key.bearer(&headers("")), Bearer::Wrong);
        assert_eq!(key.bearer(&HeaderMap::new()), Bearer::None);
    }

    #[test]
    fn nothing_is_said_of_a_link_that_has_ended() {
        let key = ShareKey::default();
        let link = key.renew().expect("randomness");
        key.renew().expect("randomness");
        key.while_current(&link, || panic!("said of the former link"));
    }
}
