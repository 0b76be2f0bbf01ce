#pragma once

#include <cstdint>

namespace guv {

/// Closes the gates of all families but these. Once, in the constructor: from then on gates only open.
void keep_open(uint32_t families);

/// Has the calls of these families, and of those that they depend on, lead to guv from now on.
void open_families(uint32_t families);

}  // namespace guv
