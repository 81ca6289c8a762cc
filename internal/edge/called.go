package edge

// Called is the constraint of a type parameter that a method has for the sake of the compiler alone: it is always inferred,
// and nothing uses it.
//
// The compiler compiles every method of each instantiated type it meets, but one with a type parameter of its own only where
// it is called. Without Called, a pair of key and value types would bring every table, window and store that could follow
// it, and they theirs. With it a program pays for what it uses.
type Called interface{ struct{} }
