//! Enums whose values are labels of metrics.

/// Makes an enum whose values have a word each: their name in metrics and logs.
///
/// `ALL` lists the values, so that a series of each can exist, at 0, before its first event.
///
/// ```
/// fanfare_core::labels! {
///     /// The result.
///     pub enum Outcome {
///         /// It went well.
///         Done = "done",
///         /// It did not.
///         Failed = "failed",
///     }
/// }
/// assert_eq!(Outcome::ALL.iter().map(|outcome| outcome.name()).collect::<Vec<_>>(), ["done", "failed"]);
/// ```
#[macro_export]
macro_rules! labels {
    (
        $(#[$attribute:meta])*
        $visibility:vis enum $name:ident {
            $($(#[$of_variant:meta])* $variant:ident = $word:literal,)+
        }
    ) => {
        $(#[$attribute])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        $visibility enum $name {
            $($(#[$of_variant])* $variant,)+
        }

        impl $name {
            /// All values.
            $visibility const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word for the value: a label.
            #[must_use]
            $visibility fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }
    };
}
