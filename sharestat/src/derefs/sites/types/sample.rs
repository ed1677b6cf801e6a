//! The types of a small kernel, enough for one test per rule of the analysis.

use super::{Member, Parameter, Prototype, Shape, TypeId, TypeTable};

impl TypeTable {
    /// A small kernel: enough types for one test per rule.
    pub(in crate::derefs) fn sample() -> Self {
        use Shape::{Array, Opaque, Pointer, Record, Scalar};
        let record = |name: &str, size, members: &[(&str, i32, u32)]| Record {
            name: name.into(),
            size,
            members: members
                .iter()
                .map(|(name, offset, of)| Member {
                    name: (*name).into(),
                    offset: *offset,
                    of: TypeId(*of),
                })
                .collect(),
        };
        // The ids are the positions.
        let shapes = vec![
            Opaque,
            Scalar(8),
            record("list_head", 16, &[("next", 0, 3), ("prev", 8, 3)]),
            Pointer(TypeId(2)),
            record("address_space", 64, &[("host", 0, 6), ("i_pages", 8, 12)]),
            Pointer(TypeId(4)),
            Pointer(TypeId(7)),
            record("inode", 64, &[("i_mapping", 48, 5)]),
            record(
                "folio",
                64,
                &[
                    ("flags", 0, 1),
                    ("lru", 8, 2),
                    ("mapping", 24, 5),
                    ("index", 32, 1),
                ],
            ),
            Pointer(TypeId(8)),
            record(
                "page",
                64,
                &[("flags", 0, 1), ("lru", 8, 2), ("mapping", 24, 5)],
            ),
            Pointer(TypeId(10)),
            record("xarray", 16, &[("xa_head", 8, 13)]),
            Pointer(TypeId(0)),
            record("xa_state", 32, &[("xa", 0, 15), ("xa_node", 24, 13)]),
            Pointer(TypeId(12)),
            Array {
                element: TypeId(9),
                count: 31,
            },
            record("folio_batch", 256, &[("nr", 0, 1), ("folios", 8, 16)]),
            Pointer(TypeId(17)),
            record("slab", 64, &[("cache", 8, 13)]),
            Pointer(TypeId(19)),
            Pointer(TypeId(11)),
            Pointer(TypeId(14)),
        ];
        let records = shapes
            .iter()
            .zip(0..)
            .filter_map(|(shape, id)| match shape {
                Record { name, .. } => Some((name.clone(), TypeId(id))),
                _ => None,
            })
            .collect();
        let signature = |parameters: &[(&str, u32)], returns| Prototype {
            parameters: parameters
                .iter()
                .map(|(name, of)| Parameter {
                    name: (*name).into(),
                    of: TypeId(*of),
                })
                .collect(),
            returns: TypeId(returns),
        };
        let prototypes = [
            ("takes_folio", signature(&[("folio", 9)], 0)),
            ("takes_page", signature(&[("page", 11)], 0)),
            ("head_of_page", signature(&[("page", 11)], 1)),
            ("takes_slab", signature(&[("slab", 20)], 0)),
            ("takes_word", signature(&[("value", 1)], 0)),
            ("takes_list", signature(&[("folio_list", 3)], 0)),
            ("takes_mapping", signature(&[("mapping", 5)], 0)),
            ("returns_folio", signature(&[], 9)),
            ("gives_mapping", signature(&[("folio", 9)], 5)),
            ("fills_batch", signature(&[("fbatch", 18)], 1)),
            ("fills_page", signature(&[("pages", 21)], 1)),
            ("xas_load", signature(&[("xas", 22)], 13)),
        ]
        .into_iter()
        .map(|(name, prototype)| (name.to_owned(), prototype))
        .collect();
        Self {
            shapes,
            prototypes,
            records,
            folio: TypeId(8),
            page: TypeId(10),
            mapping: 24,
            lru: 8,
        }
    }
}
