#include "core/pipeline/exchange.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <utility>

#include "trivet/batch.h"

namespace trivet::core {

namespace {

constexpr std::size_t most_lent = 1024;
constexpr std::size_t least_lent = 16;

// What one of `others` gets when half of `count` is shared evenly.
std::size_t share_of_half(std::size_t count, std::size_t others) {
  return count / 2 / std::max<std::size_t>(others, 1);
}

template <class Function>
void for_each_bit(std::uint64_t& bits, Function&& function) {
  for (; bits != 0; bits &= bits - 1) function(static_cast<std::size_t>(std::countr_zero(bits)));
}

}  // namespace

Exchange::Exchange(std::vector<Member> members)
    : members_(std::move(members)), loan_limit_(most_lent), large_limit_(most_lent) {
  const std::size_t count = members_.size();
  assert(count <= max_workers);
  for (const Member& member : members_) {
    const PoolSizes& sizes = member.pool->sizes();
    loan_limit_ = std::min(loan_limit_, share_of_half(sizes.small_count, count - 1));
    large_limit_ = std::min(large_limit_, share_of_half(sizes.large_count, count - 1));
  }
  loan_limit_ = std::bit_floor(std::max(loan_limit_, least_lent));
  large_limit_ = std::max<std::size_t>(large_limit_, 1);
  for (std::size_t lender = 0; lender < count; ++lender) {
    for (std::size_t owner = 0; owner < count; ++owner) {
      lines_.push_back(lender == owner ? nullptr : std::make_unique<Line>(loan_limit_));
    }
  }
  for (std::size_t number = 0; number < count; ++number) {
    desks_.push_back(std::make_unique<Desk>(*this, number));
    members_[number].pool->set_return(desks_.back().get());
  }
}

Exchange::~Exchange() {
  for (const Member& member : members_) member.pool->set_return(nullptr);
}

Exchange::Desk::Desk(Exchange& exchange, std::size_t number)
    : exchange_(exchange),
      number_(number),
      pool_(*exchange.members_[number].pool),
      accounts_(exchange.members_.size()) {}

bool Exchange::Desk::has_credit(const Account& account, bool large) const noexcept {
  return account.lent < exchange_.loan_limit_ && (!large || account.large < exchange_.large_limit_);
}

bool Exchange::Desk::lend(std::size_t owner, Packet* packet, std::uint64_t version) noexcept {
  Account& account = accounts_[owner];
  const bool large = pool_.is_large(packet);
  if (!has_credit(account, large)) {
    take_home(owner);
    if (!has_credit(account, large)) return false;
  }
  if (!exchange_.line(number_, owner).out.stage({packet, version})) return false;
  ++account.lent;
  account.large += large ? 1 : 0;
  handing_out_ |= std::uint64_t{1} << owner;
  return true;
}

void Exchange::Desk::hand_out() noexcept {
  for_each_bit(handing_out_, [this](std::size_t owner) {
    exchange_.line(number_, owner).out.publish();
    exchange_.desks_[owner]->wake();
  });
}

std::size_t Exchange::Desk::borrow(std::size_t lender, std::span<Loan> out) noexcept {
  return exchange_.line(lender, number_).out.take(out);
}

void Exchange::Desk::give_back(Packet* packet) noexcept {
  for (std::size_t lender = 0; lender < workers(); ++lender) {
    if (lender == number_ || !exchange_.members_[lender].pool->owns(packet)) continue;
    // As many as are lent at most: there is room.
    [[maybe_unused]] const bool has_room = exchange_.line(lender, number_).back.stage(packet);
    assert(has_room);
    sending_home_ |= std::uint64_t{1} << lender;
    return;
  }
  assert(false && "a packet of nobody's pool");
}

void Exchange::Desk::send_home() noexcept {
  for_each_bit(sending_home_, [this](std::size_t lender) { exchange_.line(lender, number_).back.publish(); });
}

void Exchange::Desk::take_home() noexcept {
  for (std::size_t borrower = 0; borrower < workers(); ++borrower) {
    if (accounts_[borrower].lent != 0) take_home(borrower);
  }
}

void Exchange::Desk::take_home(std::size_t borrower) noexcept {
  std::array<Packet*, Batch::capacity> packets{};
  Account& account = accounts_[borrower];
  SpscRing<Packet*>& back = exchange_.line(number_, borrower).back;
  for (std::size_t count = back.take(packets); count != 0; count = back.take(packets)) {
    for (Packet* const packet : std::span(packets).first(count)) {
      account.large -= pool_.is_large(packet) ? 1 : 0;
      pool_.release(packet);
    }
    account.lent -= count;
  }
}

void Exchange::Desk::wake() noexcept {
  if (is_asleep_.exchange(false, std::memory_order_acq_rel)) exchange_.members_[number_].channel->call_worker();
}

bool Exchange::Desk::stays_awake(bool did_something) noexcept {
  if (did_something) {
    if (is_asleep_.load(std::memory_order_relaxed)) is_asleep_.store(false, std::memory_order_relaxed);
    return true;
  }
  if (is_asleep_.load(std::memory_order_acquire)) return false;
  is_asleep_.exchange(true, std::memory_order_acq_rel);
  return true;
}

}  // namespace trivet::core
