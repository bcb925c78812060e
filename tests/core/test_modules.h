// Small modules for tests of the node: each writes down what happens to it.
#pragma once

#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "trivet/abi.h"
#include "trivet/module.h"

namespace trivet::core::test {

// What the test modules of one test have done, in order: "a start", "a apply", "a worker 3 packets".
std::vector<std::string>& story();

struct Behaviour {
  bool throw_in_create = false;
  bool throw_in_check = false;
  bool throw_in_apply = false;
  bool throw_on_time = false;
  bool throw_in_command = false;
  bool refuse_check = false;
  Duration timer{};    // > 0: a timer from apply() on
  std::string before;  // must stand before this module
  Verdict::Kind verdict = Verdict::Kind::next;
};

// Behaviour of the modules named a, b and c for the present test.
Behaviour& behaviour(char name);

extern const ModuleDescriptor module_a;
extern const ModuleDescriptor module_b;
extern const ModuleDescriptor module_c;  // essential

}  // namespace trivet::core::test
