//! `sharestat doctor`: what works here, what does not, and what helps.

use super::{
    args::{DoctorArgs, DoctorFormat},
    exit::{Exit, Failure},
    output,
    render::width,
};
use crate::kernel::doctor;

pub(super) fn run(arguments: &DoctorArgs) -> Result<Exit, Failure> {
    let doctor = doctor::examine();
    let file = arguments.output.as_deref();
    // Lines that go to a file or a pipe are not wrapped, so that they can be searched.
    let columns = width()
        .filter(|_| file.is_none())
        .map_or(usize::MAX, usize::from);
    output::write(file, |out| match arguments.format {
        DoctorFormat::Text => out.write_all(doctor.to_text(columns).as_bytes()),
        DoctorFormat::Json => {
            serde_json::to_writer_pretty(&mut *out, &doctor)?;
            out.write_all(b"\n")
        }
    })?;
    Ok(match doctor.exit_code() {
        0 => Exit::Ok,
        3 => Exit::Privilege,
        _ => Exit::Kernel,
    })
}
