// A large array of zeroes whose memory the system hands out when it is first touched, in huge pages where it can.
//
// A table of a million sessions spans thousands of small pages; with those, finding the page costs more than the
// look-up. Throws std::bad_alloc (constructor only: control thread). Thread: that of its owner.
#pragma once

#include <cstddef>
#include <type_traits>

namespace trivet::slb {

class ZeroedMemory {
 public:
  explicit ZeroedMemory(std::size_t bytes);
  ZeroedMemory(const ZeroedMemory&) = delete;
  ZeroedMemory& operator=(const ZeroedMemory&) = delete;
  ~ZeroedMemory();
  [[nodiscard]] void* data() const noexcept { return data_; }  // aligned to a page

 private:
  void* mapping_ = nullptr;
  std::size_t mapped_ = 0;
  void* data_ = nullptr;
};

template <class T>
class ZeroedArray {
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);

 public:
  explicit ZeroedArray(std::size_t count) : memory_(count * sizeof(T)), data_(static_cast<T*>(memory_.data())) {}
  [[nodiscard]] T& operator[](std::size_t i) noexcept { return data_[i]; }
  [[nodiscard]] const T& operator[](std::size_t i) const noexcept { return data_[i]; }

 private:
  ZeroedMemory memory_;
  T* data_;
};

}  // namespace trivet::slb
