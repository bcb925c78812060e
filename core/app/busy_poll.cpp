#include "core/app/busy_poll.h"

#include <algorithm>

namespace trivet::core {

bool BusyPoll::look_again(Time now, bool found) noexcept {
  const Duration gap = now - last_work_;
  if (found) {
    found_after(gap);
    last_work_ = now;
    since_ = Since::work;
    return true;
  }
  if (since_ != Since::sleep && trust_ > 0 && gap < window) {
    since_ = Since::looking;
    return true;
  }
  since_ = Since::sleep;
  return false;
}

// Looking must find work three times for each time that it does not. Once it is given up, only as many short sleeps in
// a row as there are steps up from the least bring it back: what comes now and then does not make a worker look.
void BusyPoll::found_after(Duration gap) noexcept {
  switch (since_) {
    case Since::work:
      return;
    case Since::looking:
      trust_ = std::min(trust_ + 1, most_trust);
      return;
    case Since::sleep:
      if (trust_ <= 0) {
        trust_ = gap <= soon_after_sleep ? trust_ + 1 : least_trust;
      } else {
        trust_ -= miss;
        if (trust_ <= 0) trust_ = least_trust;
      }
  }
}

}  // namespace trivet::core
