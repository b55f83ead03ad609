//! What a macro is given, checked.

use std::collections::BTreeMap;

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::spanned::Spanned as _;
use syn::{
    Data, DeriveInput, Fields, GenericArgument, GenericParam, Generics, Ident, Index, Member, Path,
    PathArguments, Result, Type, parse_quote,
};

use crate::attributes::{Attributes, How, On};

/// A type.
pub(crate) struct Input {
    pub(crate) ident: Ident,
    /// With the bounds that the code needs.
    pub(crate) generics: Generics,
    /// Where `irmin_core` is.
    pub(crate) core: Path,
    /// What stores record.
    pub(crate) name: String,
    /// How the whole merges, if not by its fields.
    pub(crate) how: Option<How>,
    /// The encoding is what the type's own impls of serde say.
    pub(crate) serde: bool,
    pub(crate) is_enum: bool,
    /// The one of a struct, or one for each variant.
    pub(crate) bodies: Vec<Body>,
}

/// The fields of a struct, or of a variant.
pub(crate) struct Body {
    /// `Self` or `Self::Variant`.
    pub(crate) path: TokenStream,
    /// The name of the variant in JSON; that of the type.
    pub(crate) name: String,
    pub(crate) shape: Shape,
    pub(crate) fields: Vec<Field>,
}

/// How fields are written in JSON.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// There are none.
    Unit,
    /// One without a name: as its value.
    Newtype,
    /// An array.
    Tuple,
    /// An object.
    Named,
}

/// A field.
pub(crate) struct Field {
    pub(crate) member: Member,
    /// Its name in JSON and in conflicts.
    pub(crate) name: String,
    pub(crate) ty: Type,
    pub(crate) how: How,
    /// An absent field has the default value of its type.
    pub(crate) default: bool,
}

impl Field {
    /// Where the compiler points at if the type of the field lacks something. Names mean there what
    /// they mean in all of the code, also if the type was an argument of another macro.
    pub(crate) fn place(&self) -> Span {
        self.ty.span().resolved_at(Span::call_site())
    }
}

impl Input {
    pub(crate) fn read(input: DeriveInput) -> Result<Self> {
        let attributes = Attributes::read(&input.attrs, On::Type)?;
        let ty = &attributes;
        let (bodies, is_enum) = match input.data {
            Data::Struct(data) => {
                let body = Body::read(quote!(Self), input.ident.to_string(), data.fields, ty)?;
                (vec![body], false)
            }
            Data::Enum(data) => {
                let read = |variant: syn::Variant| {
                    let attributes = Attributes::read(&variant.attrs, On::Variant)?;
                    let ident = variant.ident;
                    let name = attributes.rename.map_or_else(|| plain(&ident), |n| n.value());
                    Ok((ident.clone(), Body::read(quote!(Self::#ident), name, variant.fields, ty)?))
                };
                let bodies = all(data.variants.into_iter().map(read))?;
                different(bodies.iter().map(|(ident, body)| (ident.span(), &body.name)))?;
                (bodies.into_iter().map(|(_, body)| body).collect(), true)
            }
            Data::Union(data) => {
                let why = "a union does not know which of its fields is there: use an enum";
                return Err(syn::Error::new(data.union_token.span, why));
            }
        };
        if bodies.is_empty() {
            let why = "an enum without variants has no values to keep";
            return Err(syn::Error::new(input.ident.span(), why));
        }
        // What is read as the value of its field would be read as itself without end.
        let itself = bodies.first().filter(|body| !is_enum && body.shape == Shape::Newtype);
        if let Some(field) = itself.and_then(|body| body.fields.first())
            && attributes.serde.is_none()
            && is_only(&field.ty, &input.ident)
        {
            let why = "a type is not its own field: only `null` would be a value of it";
            return Err(syn::Error::new(field.ty.span(), why));
        }
        let how = attributes.how.map(|(_, how)| how);
        if let (Some(How::LastWriter(time)), [body]) = (&how, bodies.as_slice()) {
            body.find(time)?;
        }
        if let (Some(How::LastWriter(time)), true) = (&how, is_enum) {
            let why = "only structs merge by `lww(field)`: an enum has no field that is in all";
            return Err(syn::Error::new(span(time), why));
        }
        Ok(Input {
            core: attributes.core.unwrap_or_else(|| parse_quote!(::irmin_core)),
            name: attributes.name.map_or_else(|| kebab(&input.ident), |name| name.value()),
            generics: bounded(input.generics)?,
            ident: input.ident,
            how,
            serde: attributes.serde.is_some(),
            is_enum,
            bodies,
        })
    }
}

impl Body {
    fn read(path: TokenStream, name: String, fields: Fields, ty: &Attributes) -> Result<Self> {
        let shape = match &fields {
            Fields::Unit => Shape::Unit,
            Fields::Unnamed(fields) if fields.unnamed.len() == 1 => Shape::Newtype,
            Fields::Unnamed(_) => Shape::Tuple,
            Fields::Named(_) => Shape::Named,
        };
        let whole = ty.how.as_ref().is_some_and(|(_, how)| !matches!(how, How::Own));
        let read = |(index, field): (usize, syn::Field)| {
            let attributes = Attributes::read(&field.attrs, On::Field)?;
            if let (true, Some(span)) = (field.ident.is_none(), attributes.default) {
                let why = "only a field with a name can be absent";
                return Err(syn::Error::new(span, why));
            }
            if let (Some(_), Some(span)) = (ty.serde, attributes.default) {
                let why = "this type is read as its own serde says: `#[serde(default)]`";
                return Err(syn::Error::new(span, why));
            }
            if let (true, Some((span, _))) = (whole, &attributes.how) {
                let why = "this type merges as a whole, as it says itself: its fields do not";
                return Err(syn::Error::new(*span, why));
            }
            if let (true, Some(rename)) = (field.ident.is_none(), &attributes.rename) {
                let why = "a field without a name cannot have another one";
                return Err(syn::Error::new(rename.span(), why));
            }
            let own = field.ident.as_ref().map_or_else(|| index.to_string(), plain);
            Ok((
                Field {
                    member: field.ident.map_or_else(|| Index::from(index).into(), Member::Named),
                    name: attributes.rename.map_or(own, |name| name.value()),
                    ty: field.ty,
                    how: How::Own,
                    default: attributes.default.is_some(),
                },
                attributes.how.map(|(_, how)| how),
            ))
        };
        let read = all(fields.into_iter().enumerate().map(read))?;
        let (fields, hows): (Vec<Field>, Vec<Option<How>>) = read.into_iter().unzip();
        let mut body = Body { path, name, shape, fields };
        different(body.fields.iter().map(|field| (span(&field.member), &field.name)))?;
        for how in hows.iter().flatten() {
            if let How::LastWriter(time) = how {
                // The time goes with what it is the time of, unless it says how it merges.
                let index = body.find(time)?;
                if let (Some(None), Some(field)) = (hows.get(index), body.fields.get_mut(index)) {
                    field.how = How::LastWriter(field.member.clone());
                }
            }
        }
        for (field, how) in body.fields.iter_mut().zip(hows) {
            if let Some(how) = how {
                field.how = how;
            }
        }
        Ok(body)
    }

    /// The index of a field.
    pub(crate) fn find(&self, member: &Member) -> Result<usize> {
        self.fields.iter().position(|field| field.member == *member).ok_or_else(|| {
            let name = match member {
                Member::Named(ident) => ident.to_string(),
                Member::Unnamed(index) => index.index.to_string(),
            };
            syn::Error::new(span(member), format!("there is no field `{name}` beside this one"))
        })
    }
}

/// Whether JSON of one type is JSON of another one, or `null`.
fn is_only(ty: &Type, other: &Ident) -> bool {
    let last = match ty {
        Type::Path(path) => path.path.segments.last(),
        Type::Group(group) => return is_only(&group.elem, other),
        Type::Paren(paren) => return is_only(&paren.elem, other),
        _ => None,
    };
    let Some(last) = last else { return false };
    match &last.arguments {
        PathArguments::AngleBracketed(arguments)
            if ["Box", "Option", "Rc", "Arc"].iter().any(|name| last.ident == name) =>
        {
            let inner = |argument: &GenericArgument| matches!(argument, GenericArgument::Type(ty) if is_only(ty, other));
            arguments.args.iter().any(inner)
        }
        _ => last.ident == *other || last.ident == "Self",
    }
}

fn span(member: &Member) -> Span {
    match member {
        Member::Named(ident) => ident.span(),
        Member::Unnamed(index) => index.span,
    }
}

/// All values, or all errors.
fn all<T>(results: impl Iterator<Item = Result<T>>) -> Result<Vec<T>> {
    let (mut values, mut errors) = (Vec::new(), None::<syn::Error>);
    for result in results {
        match (result, &mut errors) {
            (Ok(value), _) => values.push(value),
            (Err(e), Some(errors)) => errors.combine(e),
            (Err(e), none) => *none = Some(e),
        }
    }
    errors.map_or(Ok(values), Err)
}

/// Names in JSON have to be different.
fn different<'a>(names: impl Iterator<Item = (Span, &'a String)>) -> Result<()> {
    let mut seen = BTreeMap::new();
    for (span, name) in names {
        if seen.insert(name, span).is_some() {
            let why = format!("`{name}` is the name of another one already");
            return Err(syn::Error::new(span, why));
        }
    }
    Ok(())
}

/// The name without `r#`.
fn plain(ident: &Ident) -> String {
    let text = ident.to_string();
    text.strip_prefix("r#").map_or(text.clone(), String::from)
}

/// `OrderLine` is `order-line`.
fn kebab(ident: &Ident) -> String {
    let mut out = String::new();
    for c in plain(ident).chars() {
        if c.is_uppercase() && !out.is_empty() {
            out.push('-');
        }
        out.extend(c.to_lowercase());
    }
    out
}

/// Parameters are parts like any other.
fn bounded(mut generics: Generics) -> Result<Generics> {
    for parameter in &mut generics.params {
        match parameter {
            GenericParam::Type(parameter) => {
                parameter.bounds.push(parse_quote!(__irmin::contents::Mergeable));
                parameter.bounds.push(parse_quote!(__irmin::contents::derived::serde::Serialize));
                parameter
                    .bounds
                    .push(parse_quote!(__irmin::contents::derived::serde::de::DeserializeOwned));
            }
            GenericParam::Lifetime(lifetime) => {
                let why = "a value owns what it is made of: it cannot borrow";
                return Err(syn::Error::new(lifetime.lifetime.span(), why));
            }
            GenericParam::Const(_) => {}
        }
    }
    Ok(generics)
}
