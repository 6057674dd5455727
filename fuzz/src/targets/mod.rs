//! The fuzz targets: each takes any bytes. A target panics when something is wrong: a call that ends as
//! INTERNAL or gets no answer, a value that does not come back as it was written. A panic anywhere in
//! befriend counts as well, since the fuzzer ends at each, and since no call may be left without answer.

pub mod answers;
pub mod parsers;
pub mod site;
pub mod surfaces;
