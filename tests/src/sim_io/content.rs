//! The bytes of one simulated file, shared between copies page by page.

use std::sync::Arc;

const PAGE: usize = 4096;

/// A file's bytes; a clone costs a pointer a page, and a write copies the pages it touches.
#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    len: usize,
    /// As many as the length needs; one that is absent is all zeros.
    pages: Vec<Option<Arc<[u8; PAGE]>>>,
}

impl Content {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn read(&self, buffer: &mut [u8], offset: usize) -> usize {
        let end = self.len.min(offset.saturating_add(buffer.len()));
        let mut at = offset;
        while at < end {
            let (page, from) = (at / PAGE, at % PAGE);
            let n = (PAGE - from).min(end - at);
            let to = &mut buffer[at - offset..at - offset + n];
            match &self.pages[page] {
                Some(page) => to.copy_from_slice(&page[from..from + n]),
                None => to.fill(0),
            }
            at += n;
        }
        end.saturating_sub(offset)
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.len];
        self.read(&mut bytes, 0);
        bytes
    }

    pub(super) fn write(&mut self, bytes: &[u8], offset: usize) {
        if bytes.is_empty() {
            return;
        }
        let end = offset + bytes.len();
        if end > self.len {
            self.set_len(end);
        }
        let mut at = offset;
        while at < end {
            let (page, from) = (at / PAGE, at % PAGE);
            let n = (PAGE - from).min(end - at);
            let page = self.pages[page].get_or_insert_with(|| Arc::new([0; PAGE]));
            let to = &mut Arc::make_mut(page)[from..from + n];
            to.copy_from_slice(&bytes[at - offset..at - offset + n]);
            at += n;
        }
    }

    pub(super) fn set_len(&mut self, len: usize) {
        self.pages.resize(len.div_ceil(PAGE), None);
        if len < self.len && !len.is_multiple_of(PAGE) {
            // What a later extension shows again must be zeros.
            if let Some(Some(page)) = self.pages.last_mut() {
                Arc::make_mut(page)[len % PAGE..].fill(0);
            }
        }
        self.len = len;
    }
}
