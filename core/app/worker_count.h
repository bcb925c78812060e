// How many forwarding workers a configuration asks for: the most `threads` of its interfaces.
//
// A node has its workers from the start to the end, so whoever makes one reads the number first. Thread: any; pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "trivet/config.h"

namespace trivet::core {

// Of a configuration that has been checked.
[[nodiscard]] std::size_t configured_workers(const ConfigView& config);
// Of a text, as far as it can be read; what is wrong with it comes out when it is checked. 1 without a number.
[[nodiscard]] std::size_t configured_workers(std::string_view text, const std::string& source);

}  // namespace trivet::core
