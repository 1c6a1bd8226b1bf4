/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A fuzzer is one function over bytes. libFuzzer calls it with bytes that it invents, replay.c with those of the corpus. What is
 * wrong ends in abort(), or in a sanitizer's finding.
 */
#ifndef RAINBOW_FUZZ_FUZZ_H
#define RAINBOW_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

#endif
