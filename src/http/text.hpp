// The small texts of HTTP.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "guv/http.hpp"

namespace guv::inline v1::http {

/// Are these equal but for the case of ASCII letters?
bool same_name(std::string_view one, std::string_view other);

/// Is it a name of a method, header field or subprotocol (RFC 9110, 5.6.2)?
bool is_token(std::string_view text);

/// May it be the value of a header field that we send?
bool is_field_value(std::string_view text);

/// Replaces %XX, and '+' by a space where `plus`. What is no such escape stays.
std::string decoded(std::string_view text, bool plus);

enum class Case { ignored, matters };

/// What stands between the separators of `list`, without the spaces around it. At least one item, perhaps an empty one.
std::vector<std::string_view> split(std::string_view list, char separator);

/// Does the comma-separated list have `token`?
bool lists(std::string_view list, std::string_view token, Case letters = Case::ignored);

void append_number(std::string& out, std::uint64_t number, int base = 10);

/// "06/Nov/1994:08:49:37 +0000", as logs have it.
std::string log_time(time_t when);

}  // namespace guv::inline v1::http
