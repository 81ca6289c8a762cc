package main

import "time"

// row is a change captured from the monolith's table.
type row struct {
	Op     string // "c", "u", "d": created, updated, deleted
	After  *customer
	TxTime time.Time
	Origin string // "service" for what came from here in the first place
}

type customer struct{ Name, Mail string }

// command changes a customer.
type command struct{ ID, Mail string }

// event tells the monolith of a change made here.
type event struct{ Was, Is customer }

// entity is a customer as this service holds it.
type entity struct {
	Customer customer
	Deleted  bool
	By       string // who wrote it last: "monolith" or "service"
	Refused  string // the id of the last command that could not be applied
}

// captured applies a change of the monolith.
func captured(_ int64, r row, e entity) entity {
	if r.Op == "d" || r.After == nil {
		return entity{Customer: e.Customer, Deleted: true, By: "monolith"}
	}
	return entity{Customer: *r.After, By: "monolith"}
}

// commanded applies a command, which is refused where there is no customer.
func commanded(_ int64, c command, e entity) entity {
	e.By, e.Refused = "service", ""
	if e.Deleted || e.Customer == (customer{}) {
		e.Refused = c.ID
		return e
	}
	e.Customer.Mail = c.Mail
	return e
}
