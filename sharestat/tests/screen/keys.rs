//! What a terminal sends when a key is pressed (xterm, normal cursor keys).

use ratatui::crossterm::event::KeyCode;
use sharestat::tui::keys::Key;

/// The bytes of one key press.
pub(crate) fn bytes(key: Key) -> Vec<u8> {
    match key.code {
        KeyCode::Char(letter) if key.control => {
            vec![u8::try_from(letter).expect("control keys are ASCII") & 0x1f]
        }
        KeyCode::Char(letter) => letter.to_string().into_bytes(),
        KeyCode::Enter => b"\r".to_vec(),
        KeyCode::Esc => b"\x1b".to_vec(),
        KeyCode::Backspace => b"\x7f".to_vec(),
        KeyCode::Tab => b"\t".to_vec(),
        KeyCode::BackTab => b"\x1b[Z".to_vec(),
        KeyCode::Up => b"\x1b[A".to_vec(),
        KeyCode::Down => b"\x1b[B".to_vec(),
        KeyCode::Right => b"\x1b[C".to_vec(),
        KeyCode::Left => b"\x1b[D".to_vec(),
        KeyCode::Home => b"\x1b[H".to_vec(),
        KeyCode::End => b"\x1b[F".to_vec(),
        KeyCode::PageUp => b"\x1b[5~".to_vec(),
        KeyCode::PageDown => b"\x1b[6~".to_vec(),
        KeyCode::F(number @ 1..=4) => vec![0x1b, b'O', b'O' + number],
        KeyCode::F(number) => {
            let code = [15, 17, 18, 19, 20, 21, 23, 24][usize::from(number) - 5];
            format!("\x1b[{code}~").into_bytes()
        }
        other => panic!("no bytes are known for {other:?}"),
    }
}
