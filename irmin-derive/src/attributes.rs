//! `#[irmin(…)]`.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::parse::ParseStream;
use syn::spanned::Spanned as _;
use syn::{
    Attribute, GenericArgument, Ident, LitStr, Member, Path, PathArguments, Result, Type,
    parenthesized,
};

/// How something merges.
pub(crate) enum How {
    /// As its type says.
    Own,
    /// In a way that has a name: a type of `irmin_core::contents::kind`.
    Kind(TokenStream),
    /// With the side where this field is larger.
    LastWriter(Member),
    /// With a function.
    With(Path),
}

impl How {
    /// The merge of a field of a type, as an expression; the last writer's is none.
    pub(crate) fn merge(&self, ty: &Type) -> Option<TokenStream> {
        // The compiler points at the type of the field when it lacks a merge.
        Some(match self {
            How::Own => match boxed(ty) {
                Some(kind) => merge_as(ty, &kind),
                None => quote_spanned! {ty.span()=>
                    <#ty as __irmin::contents::Mergeable>::merge()
                },
            },
            How::Kind(kind) => merge_as(ty, kind),
            How::With(path) => {
                let name = quote!(#path).to_string().replace(' ', "");
                quote_spanned!(path.span()=> __irmin::Merge::<#ty>::new(#name, #path))
            }
            How::LastWriter(_) => return None,
        })
    }
}

fn merge_as(ty: &Type, kind: &TokenStream) -> TokenStream {
    quote_spanned!(ty.span()=> <#ty as __irmin::contents::MergeAs<#kind>>::merge_as())
}

/// How a type merges that has a box in it, which has no merge of its own: the rules of traits would
/// not let it, because other crates may give theirs to boxes.
fn boxed(ty: &Type) -> Option<TokenStream> {
    let path = match ty {
        Type::Path(path) => path,
        // As a type is that was an argument of another macro.
        Type::Group(group) => return boxed(&group.elem),
        Type::Paren(paren) => return boxed(&paren.elem),
        _ => return None,
    };
    let last = path.path.segments.last()?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    let Some(GenericArgument::Type(inner)) = arguments.args.last() else { return None };
    let kinds = quote!(__irmin::contents::kind);
    let inner = boxed(inner);
    if last.ident == "Box" {
        let inner = inner.unwrap_or_else(|| quote!(#kinds::AsOwn));
        return Some(quote!(#kinds::AsBoxed<#inner>));
    }
    let inner = inner?;
    match last.ident.to_string().as_str() {
        "Option" => Some(quote!(#kinds::AsOption<#inner>)),
        "BTreeMap" => Some(quote!(#kinds::AsMap<#inner>)),
        _ => None,
    }
}

/// What may be said of a type, a variant, or a field.
#[derive(Default)]
pub(crate) struct Attributes {
    pub(crate) name: Option<LitStr>,
    pub(crate) rename: Option<LitStr>,
    pub(crate) how: Option<(Span, How)>,
    pub(crate) default: Option<Span>,
    pub(crate) serde: Option<Span>,
    pub(crate) core: Option<Path>,
}

/// What the attributes stand on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum On {
    Type,
    Variant,
    Field,
}

impl On {
    fn allowed(self) -> &'static [&'static str] {
        match self {
            On::Type => &["type", "serde", "merge", "merge_with", "crate"],
            On::Variant => &["rename"],
            On::Field => &["rename", "default", "merge", "merge_with"],
        }
    }

    fn what(self) -> &'static str {
        match self {
            On::Type => "a type",
            On::Variant => "a variant",
            On::Field => "a field",
        }
    }
}

impl Attributes {
    pub(crate) fn read(attributes: &[Attribute], on: On) -> Result<Self> {
        let mut read = Attributes::default();
        for attribute in attributes.iter().filter(|a| a.path().is_ident("irmin")) {
            // `type` is a keyword, which paths of attributes may not be.
            attribute.parse_args_with(|input: ParseStream| {
                while !input.is_empty() {
                    read.one(input, on)?;
                    if !input.is_empty() {
                        input.parse::<syn::Token![,]>()?;
                    }
                }
                Ok(())
            })?;
        }
        Ok(read)
    }

    fn one(&mut self, input: ParseStream, on: On) -> Result<()> {
        let key = input.call(Ident::parse_any)?;
        let name = key.to_string();
        if !on.allowed().contains(&name.as_str()) {
            let allowed = on.allowed().join("`, `");
            let why = format!("`{name}` means nothing on {}: it takes `{allowed}`", on.what());
            return Err(syn::Error::new(key.span(), why));
        }
        let again = match name.as_str() {
            "serde" => self.serde.replace(key.span()).is_some(),
            "default" => self.default.replace(key.span()).is_some(),
            _ => {
                input.parse::<syn::Token![=]>()?;
                if let (false, true) = (matches!(&*name, "type" | "rename"), input.peek(LitStr)) {
                    let why = format!("there are no quotes around what follows `{name} =`");
                    return Err(input.error(why));
                }
                match name.as_str() {
                    "type" => self.name.replace(named(input)?).is_some(),
                    "crate" => self.core.replace(input.call(Path::parse_mod_style)?).is_some(),
                    "rename" => self.rename.replace(input.parse()?).is_some(),
                    "merge" => self.how.replace((key.span(), how(input)?)).is_some(),
                    _ => self.how.replace((key.span(), How::With(input.parse()?))).is_some(),
                }
            }
        };
        if again {
            let why = match name.as_str() {
                "merge" | "merge_with" => "there is one way to merge: it is said already".into(),
                _ => format!("`{name}` is there twice"),
            };
            return Err(syn::Error::new(key.span(), why));
        }
        Ok(())
    }
}

/// The name of a type, which stores record.
fn named(input: ParseStream) -> Result<LitStr> {
    let name: LitStr = input.parse()?;
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.value().is_empty() || !name.value().chars().all(good) {
        let why = "the name of a type is ASCII letters, digits, `-`, `_` and `.`";
        return Err(syn::Error::new(name.span(), why));
    }
    Ok(name)
}

/// What follows `merge =`.
fn how(input: ParseStream) -> Result<How> {
    if input.peek(Ident::peek_any) && !input.peek2(syn::Token![::]) {
        let fork = input.fork();
        if fork.call(Ident::parse_any)? == "lww" {
            let lww = input.call(Ident::parse_any)?;
            if !input.peek(syn::token::Paren) {
                let why = "say which field has the time: `lww(updated)`";
                return Err(syn::Error::new(lww.span(), why));
            }
            let inner;
            parenthesized!(inner in input);
            return Ok(How::LastWriter(inner.parse()?));
        }
    }
    match kind(input)? {
        Some(kind) => Ok(How::Kind(kind)),
        None => Ok(How::Own),
    }
}

/// A way to merge that has a name, as a type; nothing for `own`.
fn kind(input: ParseStream) -> Result<Option<TokenStream>> {
    let name = input.call(Ident::parse_any)?;
    let simple = |kind: &str| {
        let kind = Ident::new(kind, name.span());
        Ok(Some(quote!(__irmin::contents::kind::#kind)))
    };
    let text = name.to_string();
    match text.as_str() {
        "own" | "nested" => Ok(None),
        "counter" => simple("AsCounter"),
        "set" => simple("AsSet"),
        "multiset" => simple("AsMultiset"),
        "log" => simple("AsLog"),
        "text" => simple("AsText"),
        "idempotent" => simple("AsIdempotent"),
        "default" => simple("AsDefault"),
        "map" | "option" | "boxed" => {
            let inner = if input.peek(syn::token::Paren) {
                let inner;
                parenthesized!(inner in input);
                kind(&inner)?
            } else {
                None
            };
            let inner = inner.unwrap_or_else(|| quote!(__irmin::contents::kind::AsOwn));
            let outer = match text.as_str() {
                "map" => "AsMap",
                "option" => "AsOption",
                _ => "AsBoxed",
            };
            let outer = Ident::new(outer, name.span());
            Ok(Some(quote!(__irmin::contents::kind::#outer<#inner>)))
        }
        _ => {
            let why = format!(
                "`{text}` is no way to merge: there are `own`, `counter`, `set`, `multiset`, \
                 `map(…)`, `option(…)`, `boxed(…)`, `lww(field)`, `log`, `text`, `idempotent`, `default`, and \
                 `merge_with = function` for your own"
            );
            Err(syn::Error::new(name.span(), why))
        }
    }
}
