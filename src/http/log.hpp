#pragma once

#include "http/parser.hpp"

namespace guv::inline v1::http {

/// A line of the access log, in Apache's combined format. What the client sent is escaped, so that it stays one line of
/// such fields.
std::string log_line(const Head& head, std::string_view remote_address, int status, std::uint64_t sent);

}  // namespace guv::inline v1::http
