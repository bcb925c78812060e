// TOML as second form of the tree. TOML++ and its exceptions stay in the .cpp.
//
//   hostname = "LB1"                 strings, numbers and booleans are elements
//   modules = ["vrrp", "arp"]
//   [set]
//   ipforwarding = 1
//   [server.1]
//   state = "registered"             defined, registered or enabled (default)
//   targets = [1, 2]                 an array is the elements of one parameter, all its words one after the other
//   route = [["10.0.0.0/8", 1], ["11.0.0.0/8", 2]]     arrays in an array: several parameters with one keyword
//   odd = [[["a", "b"], "c"]]        one level more: the words of a parameter, where the flat form does not tell them
// Thread: control. Pure but for `tree` and `problems`.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/config/schema.h"
#include "core/config/tree.h"
#include "trivet/result.h"

namespace trivet::core {

// A syntax error is the only one reported; others come all at once.
void parse_toml(std::string_view text, const std::string& source, Tree& tree, Problems& problems);

// `tree` is in canonical form; the schema tells how parameters divide into words.
[[nodiscard]] std::string write_toml(const Tree& tree, const Schema& schema, const std::vector<std::string>& header);

}  // namespace trivet::core
