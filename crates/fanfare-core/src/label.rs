//! Words that are labels of metrics.

/// Makes an enum of which every value is a word: its name where a metric or a log shows it.
///
/// `ALL` has them all, so that a series of each can be there, as 0, before its first event.
///
/// ```
/// fanfare_core::labels! {
///     /// What became of it.
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
            /// All of them.
            $visibility const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word for it: a label.
            #[must_use]
            $visibility fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }
    };
}
