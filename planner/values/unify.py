"""
Type algebra: which types convert to which, and the one type that several can all become.

Follows Terraform's rules (`true ? [1] : ["a", "b"]` is a list of string): numbers and bools become strings; tuples of
one length unify by element, others become lists; objects of the same attributes unify by attribute, others become maps.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from planner.values.types import (
    BOOL,
    DYNAMIC,
    NUMBER,
    STRING,
    ListType,
    MapType,
    ObjectType,
    PrimitiveType,
    SetType,
    TupleType,
    Type,
)


def type_name(type: Type) -> str:
    """A type as a person would say it: "list of string", "object", "number"."""
    match type:
        case PrimitiveType(name):
            return name
        case ListType(element):
            return f"list of {type_name(element)}"
        case SetType(element):
            return f"set of {type_name(element)}"
        case MapType(element):
            return f"map of {type_name(element)}"
        case TupleType():
            return "tuple"
        case ObjectType():
            return "object"


def required(type: Type) -> str:
    """A type as what is asked for: "a list of string"."""
    if type == DYNAMIC:
        return "a value of any type"
    name = type_name(type)
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def has_dynamic(type: Type) -> bool:
    """Whether a type, or a part of it, is open."""
    match type:
        case PrimitiveType():
            return type == DYNAMIC
        case ListType(element) | SetType(element) | MapType(element):
            return has_dynamic(element)
        case TupleType(elements):
            return any(has_dynamic(element) for element in elements)
        case ObjectType(attributes):
            return any(has_dynamic(attribute) for _, attribute in attributes)


def plain(type: Type) -> Type:
    """The type of values that meet a constraint: the same without optional attributes and their defaults."""
    match type:
        case PrimitiveType():
            return type
        case ListType(element):
            return ListType(plain(element))
        case SetType(element):
            return SetType(plain(element))
        case MapType(element):
            return MapType(plain(element))
        case TupleType(elements):
            return TupleType(tuple(plain(element) for element in elements))
        case ObjectType(attributes):
            return ObjectType(tuple((name, plain(attribute)) for name, attribute in attributes))


def converted_type(source: Type, target: Type) -> Type | None:
    """
    The type that a value of type `source` has once converted to `target`; None when no such value ever converts.

    A string may turn out not to be a number, so that the conversion of a value can fail all the same.
    """
    if target == DYNAMIC:
        return source
    if source == DYNAMIC:
        return plain(target)
    match source, target:
        case (PrimitiveType(), PrimitiveType()):
            possible = source == target or STRING in (source, target)
            return target if possible else None
        case (ListType(element) | SetType(element), ListType(wanted)):
            return _wrapped(ListType, converted_type(element, wanted))
        case (ListType(element) | SetType(element), SetType(wanted)):
            return _wrapped(SetType, converted_type(element, wanted))
        case (TupleType(elements), ListType(wanted)):
            return _wrapped(ListType, _common_element(elements, wanted))
        case (TupleType(elements), SetType(wanted)):
            return _wrapped(SetType, _common_element(elements, wanted))
        case (MapType(element), MapType(wanted)):
            return _wrapped(MapType, converted_type(element, wanted))
        case (ObjectType(attributes), MapType(wanted)):
            return _wrapped(MapType, _common_element([attribute for _, attribute in attributes], wanted))
        case (TupleType(elements), TupleType(wanted_elements)):
            if len(elements) != len(wanted_elements):
                return None
            converted = [converted_type(one, other) for one, other in zip(elements, wanted_elements, strict=True)]
            found = tuple(element for element in converted if element is not None)
            return TupleType(found) if len(found) == len(converted) else None
        case (MapType(element), ObjectType(attributes)):
            converted_attributes = [(name, converted_type(element, wanted)) for name, wanted in attributes]
            return _object_of(converted_attributes)
        case (ObjectType(attributes), ObjectType(wanted_attributes, optional)):
            have = dict(attributes)
            return _object_of(
                [
                    (name, plain(wanted) if name in optional else None)
                    if name not in have
                    else (name, converted_type(have[name], wanted))
                    for name, wanted in wanted_attributes
                ]
            )
        case _:
            return None


def unify(types: Iterable[Type]) -> Type | None:
    """The type that all of these convert to; None when there is none. DYNAMIC when an open one leaves it undecided."""
    distinct = list(dict.fromkeys(types))
    if len(distinct) < 2:
        return distinct[0] if distinct else None
    closed = [type for type in distinct if type != DYNAMIC]
    kinds = {type.__class__ for type in closed}
    if ObjectType in kinds and TupleType in kinds:
        return None
    if PrimitiveType not in kinds and (len(kinds) == 1 or kinds in ({MapType, ObjectType}, {ListType, TupleType})):
        if len(closed) < len(distinct):
            return DYNAMIC
        unified = _unify_alike(closed, kinds)
        if unified is not None or len(kinds) == 1:
            return unified
    for wanted in sorted(closed, key=_generality):
        if all(converted_type(type, wanted) is not None for type in closed):
            return wanted
    return None


def _unify_alike(types: Sequence[Type], kinds: set[type[Type]]) -> Type | None:
    """Unify types of one kind, or of a kind and what is of it in all but name: lists and tuples, maps and objects."""
    if kinds == {TupleType}:
        tuples = [type.elements for type in types if isinstance(type, TupleType)]
        if len({len(elements) for elements in tuples}) == 1:
            unified = [unify(column) for column in zip(*tuples, strict=True)]
            found = tuple(element for element in unified if element is not None)
            return TupleType(found) if len(found) == len(unified) else None
    if kinds == {ObjectType}:
        objects = [dict(type.attributes) for type in types if isinstance(type, ObjectType)]
        if len({frozenset(attributes) for attributes in objects}) == 1:
            return _object_of([(name, unify(attributes[name] for attributes in objects)) for name in objects[0]])
    elements = [element for type in types for element in _elements(type)]
    unified_element = unify(elements) if elements else DYNAMIC
    if SetType in kinds:
        return _wrapped(SetType, unified_element)
    return _wrapped(MapType if kinds <= {MapType, ObjectType} else ListType, unified_element)


def _elements(type: Type) -> Iterable[Type]:
    match type:
        case ListType(element) | SetType(element) | MapType(element):
            return (element,)
        case TupleType(elements):
            return elements
        case ObjectType(attributes):
            return [attribute for _, attribute in attributes]
        case _:
            return ()


def _common_element(types: Sequence[Type], wanted: Type) -> Type | None:
    """The element type of a list or map made of values of these types, which are converted to `wanted` first."""
    if not types:
        return plain(wanted)
    if wanted == DYNAMIC:
        unified = unify(types)
        # An open element type means that the elements cannot be known to agree, unless all of them are open.
        return None if unified == DYNAMIC and any(type != DYNAMIC for type in types) else unified
    converted = [converted_type(type, wanted) for type in types]
    found = [type for type in converted if type is not None]
    return unify(found) if len(found) == len(converted) else None


def _wrapped(collection: type[ListType] | type[SetType] | type[MapType], element: Type | None) -> Type | None:
    return None if element is None else collection(element)


def _object_of(attributes: Sequence[tuple[str, Type | None]]) -> ObjectType | None:
    found = tuple((name, attribute) for name, attribute in attributes if attribute is not None)
    return ObjectType(found) if len(found) == len(attributes) else None


def _generality(type: Type) -> int:
    """Where a type stands among those that mixed types may become, the most general first."""
    order: tuple[object, ...] = (STRING, ListType, TupleType, SetType, MapType, ObjectType, NUMBER, BOOL)
    return order.index(type if isinstance(type, PrimitiveType) else type.__class__)
