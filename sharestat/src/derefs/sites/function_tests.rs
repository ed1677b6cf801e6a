//! One test per rule of the interpretation, on hand-assembled instructions.

use proptest::prelude::*;

use super::{
    access::Kind,
    code::Code,
    function::{Outcome, analyse, analyse_code},
    image::KernelImage,
    program::{Program, Summaries},
    scan::scan,
    transfer::Interpreter,
    types::TypeTable,
    value::Basis,
};

const START: u64 = 0xffff_ffff_8100_0000;
/// Functions to call, each of sixteen bytes, behind the code under test.
const CALLEES: [(&str, u64); 9] = [
    ("takes_page", 0x100),
    ("takes_slab", 0x110),
    ("fills_batch", 0x120),
    ("fills_page", 0x130),
    ("returns_folio", 0x140),
    ("xas_load", 0x150),
    ("unknown", 0x160),
    ("gives_mapping", 0x170),
    ("vmemmap_base", 0x180),
];

/// Analyses `code` as the body of the function `name`.
fn run(name: &str, code: &[u8]) -> Outcome {
    let mut bytes = code.to_vec();
    bytes.resize(0x200, 0xcc);
    let mut symbols: Vec<(u64, &str)> = CALLEES
        .iter()
        .map(|(name, offset)| (START + offset, *name))
        .collect();
    symbols.push((START, name));
    let image = KernelImage::sample(&bytes, START, &symbols);
    let types = TypeTable::sample();
    let program = Program::new(&image, &types);
    program
        .function_at(START)
        .map_or_else(Outcome::default, |function| {
            analyse(&program, function, &Summaries::default())
        })
}

/// `call` from offset `at` to the function `name`.
fn call(at: u64, name: &str) -> Vec<u8> {
    let target = CALLEES
        .iter()
        .find(|callee| callee.0 == name)
        .map_or(0, |callee| callee.1);
    let distance = i32::try_from(target).unwrap_or(0) - i32::try_from(at + 5).unwrap_or(0);
    [&[0xe8], distance.to_le_bytes().as_slice()].concat()
}

/// The only access, as offset, kind and basis.
fn only(outcome: &Outcome) -> Option<(u64, Kind, Basis)> {
    match outcome.accesses.iter().collect::<Vec<_>>().as_slice() {
        [(address, (kind, basis))] => Some((**address - START, *kind, *basis)),
        _ => None,
    }
}

#[test]
fn a_typed_argument_is_a_folio_and_another_type_is_not() {
    // mov rax, [rdi+0x18]; mov rax, [rax]; ret
    let code = [0x48, 0x8b, 0x47, 0x18, 0x48, 0x8b, 0x00, 0xc3];
    assert_eq!(
        only(&run("takes_folio", &code)),
        Some((0, Kind::Load, Basis::Typed))
    );
    assert_eq!(only(&run("takes_mapping", &code)), None);
    assert_eq!(only(&run("takes_word", &code)), None);
}

#[test]
fn a_call_of_what_hands_out_mappings_is_noted_and_another_is_not() {
    // call takes_page; call gives_mapping; ret
    let code = [call(0, "takes_page"), call(5, "gives_mapping"), vec![0xc3]].concat();
    let outcome = run("takes_folio", &code);
    let through: Vec<_> = outcome.through.into_iter().collect();
    assert_eq!(through, [(START + 5, START + 0x170)]);
}

#[test]
fn kinds_follow_from_the_instruction_and_its_uses() {
    let cases: [(&[u8], Kind); 7] = [
        // test byte [rdi+0x18], 1
        (&[0xf6, 0x47, 0x18, 0x01, 0xc3], Kind::TagTest),
        // cmp [rdi+0x18], rsi
        (&[0x48, 0x39, 0x77, 0x18, 0xc3], Kind::Compare),
        // mov qword [rdi+0x18], 0
        (&[0x48, 0xc7, 0x47, 0x18, 0, 0, 0, 0, 0xc3], Kind::Store),
        // lea rax, [rdi+0x18]
        (&[0x48, 0x8d, 0x47, 0x18, 0xc3], Kind::Address),
        // mov rax, [rdi+0x18]; test al, 1; xor eax, eax
        (
            &[0x48, 0x8b, 0x47, 0x18, 0xa8, 0x01, 0x31, 0xc0, 0xc3],
            Kind::TagTest,
        ),
        // mov rax, [rdi+0x18]; cmp rax, rsi; xor eax, eax
        (
            &[0x48, 0x8b, 0x47, 0x18, 0x48, 0x39, 0xf0, 0x31, 0xc0, 0xc3],
            Kind::Compare,
        ),
        // mov rax, [rdi+0x18]; and rax, -4; mov rax, [rax]
        (
            &[
                0x48, 0x8b, 0x47, 0x18, 0x48, 0x83, 0xe0, 0xfc, 0x48, 0x8b, 0x00, 0xc3,
            ],
            Kind::Load,
        ),
    ];
    for (code, kind) in cases {
        assert_eq!(
            only(&run("takes_folio", code)),
            Some((0, kind, Basis::Typed)),
            "{code:x?}"
        );
    }
}

#[test]
fn values_survive_registers_spills_and_pushes() {
    // mov rbx, rdi; mov [rsp-8], rbx; xor ebx, ebx; mov rcx, [rsp-8]; mov rax, [rcx+0x18]
    let spill = [
        0x48, 0x89, 0xfb, 0x48, 0x89, 0x5c, 0x24, 0xf8, 0x31, 0xdb, 0x48, 0x8b, 0x4c, 0x24, 0xf8,
        0x48, 0x8b, 0x41, 0x18, 0xc3,
    ];
    assert_eq!(
        only(&run("takes_folio", &spill)).map(|site| site.0),
        Some(15)
    );
    // push rdi; sub rsp, 16; add rsp, 16; pop rbx; mov rax, [rbx+0x18]
    let push = [
        0x57, 0x48, 0x83, 0xec, 0x10, 0x48, 0x83, 0xc4, 0x10, 0x5b, 0x48, 0x8b, 0x43, 0x18, 0xc3,
    ];
    assert_eq!(
        only(&run("takes_folio", &push)).map(|site| site.0),
        Some(10)
    );
    // mov edi, edi; mov rax, [rdi+0x18]: half a pointer is none.
    assert_eq!(
        only(&run(
            "takes_folio",
            &[0x89, 0xff, 0x48, 0x8b, 0x47, 0x18, 0xc3]
        )),
        None
    );
}

#[test]
fn a_call_forgets_what_it_may_change_and_gives_its_result() {
    // call returns_folio; mov rcx, [rax+0x18]
    let code = [call(0, "returns_folio"), vec![0x48, 0x8b, 0x48, 0x18, 0xc3]].concat();
    assert_eq!(
        only(&run("takes_word", &code)),
        Some((5, Kind::Load, Basis::Typed))
    );
    // call unknown; mov rax, [rdi+0x18]
    let code = [call(0, "unknown"), vec![0x48, 0x8b, 0x47, 0x18, 0xc3]].concat();
    assert_eq!(only(&run("takes_folio", &code)), None);
}

#[test]
fn the_head_page_is_a_page_too() {
    // mov rax, [rdi+8]; lea rdx, [rax-1]; cmove rdi, rdx; test byte [rdi+0x18], 1
    let code = [
        0x48, 0x8b, 0x47, 0x08, 0x48, 0x8d, 0x50, 0xff, 0x48, 0x0f, 0x44, 0xfa, 0xf6, 0x47, 0x18,
        0x01, 0xc3,
    ];
    assert_eq!(only(&run("takes_page_head", &code)), None);
    let found = run_page(&code);
    assert_eq!(only(&found), Some((12, Kind::TagTest, Basis::Typed)));
    // mov rax, [rdi+8]; mov rax, [rax+0x17]: the compiler folds the subtraction.
    let folded = [0x48, 0x8b, 0x47, 0x08, 0x48, 0x8b, 0x40, 0x17, 0xc3];
    assert_eq!(
        only(&run_page(&folded)),
        Some((4, Kind::Load, Basis::Derived))
    );
}

/// As [`run`], with a page as its argument.
fn run_page(code: &[u8]) -> Outcome {
    let mut bytes = code.to_vec();
    bytes.resize(0x200, 0xcc);
    let image = KernelImage::sample(
        &bytes,
        START,
        &[(START, "takes_page"), (START + 0x100, "end")],
    );
    let types = TypeTable::sample();
    let program = Program::new(&image, &types);
    program
        .function_at(START)
        .map_or_else(Outcome::default, |function| {
            analyse(&program, function, &Summaries::default())
        })
}

#[test]
fn lists_of_folios_yield_folios() {
    // mov rax, [rdi]; mov rcx, [rax+0x10]: the node is eight bytes into the folio.
    let direct = [0x48, 0x8b, 0x07, 0x48, 0x8b, 0x48, 0x10, 0xc3];
    assert_eq!(
        only(&run("takes_list", &direct)),
        Some((3, Kind::Load, Basis::Derived))
    );
    // mov rax, [rdi]; sub rax, 8; mov rcx, [rax+0x18]
    let entry = [
        0x48, 0x8b, 0x07, 0x48, 0x83, 0xe8, 0x08, 0x48, 0x8b, 0x48, 0x18, 0xc3,
    ];
    assert_eq!(only(&run("takes_list", &entry)).map(|site| site.0), Some(7));
}

#[test]
fn a_batch_on_the_stack_is_known_from_the_call_that_fills_it() {
    // sub rsp, 0x108; mov rdi, rsp; call fills_batch;
    let start = [0x48, 0x81, 0xec, 0x08, 0x01, 0, 0, 0x48, 0x89, 0xe7];
    // mov rax, [rsp+rcx*8+8]; mov rdx, [rax+0x18]
    let end = [0x48, 0x8b, 0x44, 0xcc, 0x08, 0x48, 0x8b, 0x50, 0x18, 0xc3];
    let code = [start.to_vec(), call(10, "fills_batch"), end.to_vec()].concat();
    assert_eq!(
        only(&run("takes_word", &code)),
        Some((20, Kind::Load, Basis::Typed))
    );
}

#[test]
fn an_out_argument_is_known_from_the_call_that_fills_it() {
    // push rax; mov rdi, rsp; call fills_page; mov rax, [rsp]; mov rdx, [rax+0x18]
    let code = [
        vec![0x50, 0x48, 0x89, 0xe7],
        call(4, "fills_page"),
        vec![0x48, 0x8b, 0x04, 0x24, 0x48, 0x8b, 0x50, 0x18, 0xc3],
    ]
    .concat();
    assert_eq!(
        only(&run("takes_word", &code)),
        Some((13, Kind::Load, Basis::Typed))
    );
}

#[test]
fn a_later_use_tells_what_an_untyped_value_is() {
    // call unknown; mov rbx, rax; mov rcx, [rbx+0x18]; mov rdi, rbx; call CALLEE
    let code = |callee| {
        [
            call(0, "unknown"),
            vec![0x48, 0x89, 0xc3, 0x48, 0x8b, 0x4b, 0x18, 0x48, 0x89, 0xdf],
            call(15, callee),
            vec![0xc3],
        ]
        .concat()
    };
    let found = run("takes_word", &code("takes_page"));
    assert_eq!(only(&found), Some((8, Kind::Load, Basis::Derived)));
    assert_eq!(only(&run("takes_word", &code("takes_slab"))), None);
}

#[test]
fn the_memory_map_is_made_of_pages_and_a_cast_makes_them_doubtful() {
    // add rdi, [rip+vmemmap_base]; mov rax, [rdi+0x18]
    let mut code = vec![0x48, 0x03, 0x3d];
    code.extend((0x180_i32 - 7).to_le_bytes());
    code.extend([0x48, 0x8b, 0x47, 0x18]);
    assert_eq!(
        only(&run("takes_word", &[code.clone(), vec![0xc3]].concat())),
        Some((7, Kind::Load, Basis::Derived))
    );
    code.extend(call(11, "takes_slab"));
    code.push(0xc3);
    assert_eq!(
        only(&run("takes_word", &code)),
        Some((7, Kind::Load, Basis::Weak))
    );
}

#[test]
fn an_entry_of_a_page_cache_tree_is_a_folio() {
    // sub rsp, 32; mov [rsp], rdi + 8 (the tree); mov rdi, rsp; call xas_load
    let tree = [
        vec![
            0x48, 0x83, 0xec, 0x20, 0x48, 0x8d, 0x47, 0x08, 0x48, 0x89, 0x04, 0x24,
        ],
        vec![0x48, 0x89, 0xe7],
        call(15, "xas_load"),
        vec![0x48, 0x8b, 0x48, 0x18, 0xc3],
    ]
    .concat();
    assert_eq!(
        only(&run("takes_mapping", &tree)),
        Some((20, Kind::Load, Basis::Derived))
    );
    // The same on a tree of something else: nothing.
    assert_eq!(only(&run("takes_word", &tree)), None);
}

#[test]
fn both_sides_of_a_branch_count_and_code_behind_a_return_does_not() {
    // test esi, esi; je +3; mov rdi, rbx (unknown); mov rax, [rdi+0x18]; ret
    let branch = [
        0x85, 0xf6, 0x74, 0x03, 0x48, 0x89, 0xdf, 0x48, 0x8b, 0x47, 0x18, 0xc3,
    ];
    assert_eq!(
        only(&run("takes_folio", &branch)).map(|site| site.0),
        Some(7)
    );
    // ret; mov rax, [rdi+0x18]
    let behind = run("takes_folio", &[0xc3, 0x48, 0x8b, 0x47, 0x18, 0xc3]);
    assert_eq!(only(&behind), None);
    assert_eq!(behind.unreached, 2);
}

#[test]
fn a_warning_goes_on_behind_its_trap() {
    // ud2; mov rax, [rdi+0x18]; ret
    let code = [0x0f, 0x0b, 0x48, 0x8b, 0x47, 0x18, 0xc3];
    assert_eq!(only(&run("takes_folio", &code)).map(|site| site.0), Some(2));
}

#[test]
fn a_head_page_from_a_function_that_ends_in_the_last_one_of_the_text_is_a_page() {
    // 6.1 does not inline all of `compound_head`, which returns a word, and its functions
    // end in a jump to the return thunk, which is the last function of the text.
    let calls = [
        0xe8, 0x1b, 0, 0, 0, // call head_of_page
        0xf6, 0x40, 0x18, 0x01, // test byte [rax+0x18], 1
        0xe9, 0x42, 0, 0, 0, // jmp __x86_return_thunk
    ];
    let head = [
        0x48, 0x8b, 0x47, 0x08, // mov rax, [rdi+8]
        0xa8, 0x01, // test al, 1
        0x75, 0x08, // jne
        0x48, 0x89, 0xf8, // mov rax, rdi
        0xe9, 0x20, 0, 0, 0, // jmp __x86_return_thunk
        0x48, 0x83, 0xe8, 0x01, // sub rax, 1
        0xe9, 0x17, 0, 0, 0, // jmp __x86_return_thunk
    ];
    let mut bytes = calls.to_vec();
    bytes.resize(0x20, 0xcc);
    bytes.extend(head);
    bytes.resize(0x50, 0xcc);
    bytes.push(0xc3);
    let symbols = [
        (START, "takes_word"),
        (START + 0x20, "head_of_page"),
        (START + 0x50, "__x86_return_thunk"),
        // The next symbol is of a section far behind.
        (START + 0x20_0000, "of_another_section"),
    ];
    let image = KernelImage::sample(&bytes, START, &symbols);
    let types = TypeTable::sample();
    let found = scan(&Program::new(&image, &types));
    let sites: Vec<_> = found
        .sites
        .iter()
        .map(|site| (site.address - START, site.kind, site.basis))
        .collect();
    assert_eq!(sites, [(5, Kind::TagTest, Basis::Derived)]);
}

proptest! {
    #[test]
    fn random_bytes_never_crash_the_analysis(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let image = KernelImage::sample(&bytes, START, &[(START, "takes_folio")]);
        let types = TypeTable::sample();
        let program = Program::new(&image, &types);
        let function = super::program::Function {
            address: START,
            end: START + 400,
            name: "takes_folio".to_owned(),
        };
        let mut code = Code::of_bytes(&bytes, START);
        let interpreter = Interpreter::new(&program, &function);
        let outcome = analyse_code(interpreter, &mut code, &Summaries::default());
        prop_assert!(outcome.unreached <= outcome.instructions);
    }

    #[test]
    fn random_bytes_are_no_kernel_image(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let path = std::path::Path::new("random");
        prop_assert!(KernelImage::from_bytes(bytes, path).is_err());
    }

    #[test]
    fn random_bytes_behind_an_elf_magic_are_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let path = std::path::Path::new("random");
        let elf = [b"\x7fELF\x02\x01\x01".as_slice(), &bytes].concat();
        prop_assert!(KernelImage::from_bytes(elf, path).is_err());
    }
}
