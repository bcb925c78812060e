// The binary contract between a module library and the core. Plain, frozen, append-only.
//
// A module library exports one constant of type ModuleDescriptor under the name trivet_module_v1. The name holds the
// ABI major; the core looks for it in the library's symbol list before it opens the library.
#pragma once

#include <cstdint>

namespace trivet {

class Module;

inline constexpr std::uint16_t abi_major = 1;
inline constexpr std::uint16_t abi_minor = 1;

// What changes the layout of SDK types: their own number (raised when a type that modules and core share changes),
// pointer size, standard library ABI, checked SDK, sanitizer. Not the compiler's and not the project's version.
#if defined(__SANITIZE_ADDRESS__)
#define TRIVET_SIGNATURE_SANITIZER "asan"
#elif defined(__SANITIZE_THREAD__)
#define TRIVET_SIGNATURE_SANITIZER "tsan"
#else
#define TRIVET_SIGNATURE_SANITIZER "none"
#endif
#if defined(_GLIBCXX_ASSERTIONS) || defined(_GLIBCXX_DEBUG)
#define TRIVET_SIGNATURE_CHECKED "yes"
#else
#define TRIVET_SIGNATURE_CHECKED "no"
#endif
#if defined(_GLIBCXX_USE_CXX11_ABI) && _GLIBCXX_USE_CXX11_ABI
#define TRIVET_SIGNATURE_LIBRARY "libstdc++-cxx11"
#elif defined(_GLIBCXX_RELEASE)
#define TRIVET_SIGNATURE_LIBRARY "libstdc++-old"
#else
#define TRIVET_SIGNATURE_LIBRARY "other"
#endif
static_assert(sizeof(void*) == 8, "Trivet needs 64-bit pointers");
inline constexpr const char* layout_signature =
    "types=3 pointers=64 library=" TRIVET_SIGNATURE_LIBRARY " checked=" TRIVET_SIGNATURE_CHECKED
    " sanitizer=" TRIVET_SIGNATURE_SANITIZER;
#undef TRIVET_SIGNATURE_SANITIZER
#undef TRIVET_SIGNATURE_CHECKED
#undef TRIVET_SIGNATURE_LIBRARY

struct ModuleDescriptor {
  std::uint32_t size = sizeof(ModuleDescriptor);
  std::uint16_t abi_major_version = abi_major;
  std::uint16_t abi_minor_version = abi_minor;
  const char* name = nullptr;     // as on the modules line
  const char* version = nullptr;  // the module's own, for people
  const char* signature = layout_signature;
  Module* (*create)() = nullptr;  // a new object, owned by the caller; may throw, the loader catches
  void (*destroy)(Module*) = nullptr;
  std::uint32_t essential = 0;  // 1: the node ends when this module fails at run time, so that the peer takes over
};

}  // namespace trivet
