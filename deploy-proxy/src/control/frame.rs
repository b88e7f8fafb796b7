//! One message: its length as four bytes, most significant first, and that many bytes of JSON.

use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The longest message that is sent or accepted, in bytes (16 MiB).
pub const MAX_FRAME: usize = 16 * 1024 * 1024;

/// Why a message couldn't be read or written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The stream failed, or ended inside a message.
    #[error("the control connection broke; connect again and ask for the state before repeating anything")]
    Io(#[from] std::io::Error),
    /// The message is longer than [`MAX_FRAME`].
    #[error(
        "expected a control message of at most {MAX_FRAME} bytes, but found {0}; is the other side a deploy-proxy?"
    )]
    TooLong(usize),
    /// The message isn't the JSON that was expected.
    #[error("expected a control message in JSON; use the same version of the executable on both sides")]
    Json(#[from] serde_json::Error),
}

/// Writes one message and flushes it.
///
/// # Errors
///
/// [`FrameError::TooLong`] before anything is written; [`FrameError::Io`] when the stream fails, after which it may
/// hold half a message and is of no more use.
pub async fn write_frame<T: Serialize>(io: &mut (impl AsyncWrite + Unpin), message: &T) -> Result<(), FrameError> {
    let frame = frame(message)?;
    io.write_all(&frame).await?;
    io.flush().await?;
    Ok(())
}

/// A message as it goes over the wire, or [`FrameError::TooLong`].
pub(super) fn frame<T: Serialize>(message: &T) -> Result<Vec<u8>, FrameError> {
    let mut frame = vec![0; 4];
    serde_json::to_writer(&mut frame, message)?;
    let length = frame.len() - 4;
    if length > MAX_FRAME {
        return Err(FrameError::TooLong(length));
    }
    let prefix = u32::try_from(length).map_err(|_| FrameError::TooLong(length))?;
    frame[..4].copy_from_slice(&prefix.to_be_bytes());
    Ok(frame)
}

/// Reads one message, or `None` where the stream ends between two.
///
/// # Errors
///
/// [`FrameError`] where the stream fails or ends inside a message, or the message is too long or isn't a `T`.
///
/// # Cancellation
///
/// Not cancel safe: a dropped read may have taken half a message.
pub async fn read_frame<T: DeserializeOwned>(io: &mut (impl AsyncRead + Unpin)) -> Result<Option<T>, FrameError> {
    let mut prefix = [0; 4];
    if io.read(&mut prefix[..1]).await? == 0 {
        return Ok(None);
    }
    io.read_exact(&mut prefix[1..]).await?;
    let length = u32::from_be_bytes(prefix) as usize;
    if length > MAX_FRAME {
        return Err(FrameError::TooLong(length));
    }
    let mut body = Vec::new();
    // Grows as bytes arrive, so a length alone makes nobody allocate 16 MiB.
    let found = io.take(length as u64).read_to_end(&mut body).await?;
    if found < length {
        return Err(FrameError::Io(std::io::ErrorKind::UnexpectedEof.into()));
    }
    Ok(Some(serde_json::from_slice(&body)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_message_survives_the_way() {
        let mut wire = Vec::new();
        write_frame(&mut wire, &vec!["é", "b"]).await.unwrap();
        write_frame(&mut wire, &vec!["c"]).await.unwrap();
        let mut reader = wire.as_slice();
        assert_eq!(read_frame::<Vec<String>>(&mut reader).await.unwrap(), Some(vec!["é".into(), "b".into()]));
        assert_eq!(read_frame::<Vec<String>>(&mut reader).await.unwrap(), Some(vec!["c".into()]));
        assert_eq!(read_frame::<Vec<String>>(&mut reader).await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_torn_message_is_an_error_and_not_the_end() {
        let mut wire = Vec::new();
        write_frame(&mut wire, &"abcdef").await.unwrap();
        for cut in 1..wire.len() {
            let torn = read_frame::<String>(&mut &wire[..cut]).await;
            assert!(matches!(torn, Err(FrameError::Io(_))), "cut at {cut}: {torn:?}");
        }
    }

    #[tokio::test]
    async fn a_length_past_the_limit_is_refused_before_its_bytes() {
        let mut wire = u32::try_from(MAX_FRAME + 1).unwrap().to_be_bytes().to_vec();
        wire.push(b'"');
        let refused = read_frame::<String>(&mut wire.as_slice()).await;
        assert!(matches!(refused, Err(FrameError::TooLong(n)) if n == MAX_FRAME + 1));
    }
}
