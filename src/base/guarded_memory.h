// Memory that may turn out not to be there: addresses of a process's memory (on-demand regions) that are marked, so
// that whoever moves bytes asks the kernel to do it and is told of a fault instead of raising SIGSEGV. A second mark
// stands for memory that is nowhere: reads give zeros, writes go nowhere (null regions).
//
// A marked address is an ordinary one with its top bit set, which no user-space address has; arithmetic keeps the mark.
// It must never be dereferenced. Thread-safe; errno is kept.
#pragma once

#include <cstddef>
#include <cstdint>

namespace rocelab::base {

inline constexpr std::uintptr_t kGuardMark = std::uintptr_t{1} << 63;
inline constexpr std::uintptr_t kNowhereMark = std::uintptr_t{1} << 62;

inline bool is_guarded(const std::byte* address) { return reinterpret_cast<std::intptr_t>(address) < 0; }
inline std::byte* guarded(std::byte* address) {
  return reinterpret_cast<std::byte*>(reinterpret_cast<std::uintptr_t>(address) | kGuardMark);
}
inline std::byte* unguarded(std::byte* address) {
  return reinterpret_cast<std::byte*>(reinterpret_cast<std::uintptr_t>(address) & ~(kGuardMark | kNowhereMark));
}
/// Address 0 of memory that is nowhere; addresses below kNowhereMark may be added.
inline std::byte* nowhere() { return reinterpret_cast<std::byte*>(kGuardMark | kNowhereMark); }

/// Whether the kernel offers what this file needs (5.14 or later, and no filter that forbids it).
bool guarded_memory_works();

/// Makes the pages present and sees whether they may be read, or written. false: they may not.
bool fault_in(const std::byte* address, std::size_t length, bool to_write);
/// Copies out of guarded memory. false: not all of it may be read, and `to` holds anything.
bool guarded_read(std::byte* to, const std::byte* address, std::size_t length);
/// Copies into guarded memory, from low addresses to high ones. false: not all of it may be written.
bool guarded_write(std::byte* address, const std::byte* from, std::size_t length);

}  // namespace rocelab::base
