#!/bin/sh
# What cargo calls instead of rustc when it builds the fuzzing program: sharestat itself is
# compiled with what libFuzzer is led by, counters of branches and the operands of
# comparisons. The flags are LLVM's own; the stable compiler takes them under
# RUSTC_BOOTSTRAP. Everything else is compiled as always, and so not compiled again.
set -eu
rustc=$1
shift
case " $* " in
*" --crate-name sharestat "*)
    export RUSTC_BOOTSTRAP=1
    exec "$rustc" "$@" --cfg fuzzing \
        -Cpasses=sancov-module \
        -Cllvm-args=-sanitizer-coverage-level=4 \
        -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
        -Cllvm-args=-sanitizer-coverage-pc-table \
        -Cllvm-args=-sanitizer-coverage-trace-compares
    ;;
esac
exec "$rustc" "$@"
