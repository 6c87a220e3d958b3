"""What people do about a payment: settle a declined one, pay back by hand, and what gate 8 signs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from handlers.balance import balance, balance_of
from handlers.contract import Call, Fact, FieldError, FormContext, Problem, operation
from handlers.invoices import newest_of, papers_of
from handlers.money import as_json, format_money, format_rate
from handlers.orders import ORDER_VARIABLE, load_order, order_variable
from handlers.payments.rows import BY_HAND, TRANSFER, book, movement, payments_of, to_pay_back
from handlers.picklists import PAYMENT_METHODS, choices
from handlers.together import known_together, together_signed

# --- resolve payment problem -----------------------------------------------------------------------------------------


@operation(
    "payment.resolve", gives=ORDER_VARIABLE,
    takes=("choice", "payment_method?", "payment_token?"),
)
def resolve(call: Call, form: Mapping[str, Any]) -> Mapping[str, Any]:
    """Takes the decision about a payment that did not come: `again`, `other_method` or `cancel`.

    Writes method and token into the order and returns the variable `order`. A new token without another method is
    another card. A token belongs to its method: another method without one means the account on file.
    """
    order = load_order(call.session, call.order)
    method, token = form.get("payment_method"), form.get("payment_token") or None
    now = PAYMENT_METHODS.get(order.payment_method, order.payment_method)
    if form["choice"] == "other_method":
        if not method:
            raise Problem(FieldError("/payment_method", "Say how the customer pays instead."))
        if method == order.payment_method:
            raise Problem(
                FieldError("/payment_method", f"The order is paid by {now} already. Choose another, or try again.")
            )
        order.payment_method = method
        order.payment_token = token if method != TRANSFER else None
    elif form["choice"] == "again":
        if method not in (None, order.payment_method):
            raise Problem(
                FieldError("/payment_method", f"“Again” means {now}. To change that, choose the other method.")
            )
        order.payment_token = token or order.payment_token
    call.session.flush()
    return order_variable(order)


@operation("payment.resolve_form")
def resolve_form(call: Call) -> FormContext:
    """What is due, what came, and what the provider or bank said last."""
    order = load_order(call.session, call.order)
    money = balance(call.session, call.order)
    refusals = [row for row in payments_of(call.session, call.order) if row.kind != "refund" and row.state == "refused"]
    facts = [
        Fact("Still due", format_money(money.due, order.currency)),
        Fact("Paid", format_money(money.held, order.currency)),
        Fact("Payment method", PAYMENT_METHODS.get(order.payment_method, order.payment_method)),
    ]
    if refusals and refusals[-1].message:
        facts.append(Fact("What was said last", refusals[-1].message))
    return FormContext(
        example={"choice": "again"}, choices={"payment_method": choices(PAYMENT_METHODS)}, facts=tuple(facts)
    )


# --- refund by hand --------------------------------------------------------------------------------------------------


@operation(
    "payment.record_refund", gives=("status", "amount"),
    takes=("reference", "note?"),
)
def record_refund(call: Call, form: Mapping[str, Any]) -> Mapping[str, Any]:
    """Writes down that a person paid back, another way, everything that is still owed back (`reference`, `note`)."""
    portions = to_pay_back(call)
    if not portions and balance(call.session, call.order).refunding:
        raise Problem(FieldError("/", "It is being found out which refunds were refused. Try again in a minute."))
    paid_back = (
        movement(
            call,
            f"{call.key}:{BY_HAND}:{capture.id}",
            "refund",
            BY_HAND,
            amount=amount,
            currency=capture.currency,
            state="done",
            reference=form["reference"],
            message=form.get("note") or f"Paid back by hand by {call.actor}.",
        )
        for capture, amount in portions
    )
    book(call, *paid_back)
    paid = sum(amount for _, amount in portions)
    return {"status": BY_HAND if paid else "nothing_owed", "amount": paid}


@operation("payment.refund_form")
def refund_form(call: Call) -> FormContext:
    """How much to pay back to whom, and why the provider would not."""
    order = load_order(call.session, call.order)
    money = balance(call.session, call.order)
    owed = sum(amount for _, amount in to_pay_back(call))
    refusals = [row for row in payments_of(call.session, call.order) if row.kind == "refund" and row.state == "refused"]
    facts = [
        Fact("To pay back", format_money(owed, order.currency)),
        Fact("Customer", order.customer_name),
        Fact("E-mail", order.email),
        Fact("Paid by", PAYMENT_METHODS.get(order.payment_method, order.payment_method)),
    ]
    if money.refunding:
        facts.append(Fact("Being found out", format_money(money.refunding, order.currency)))
    if refusals:
        facts.append(Fact("Why it was refused", refusals[-1].message))
    example = {"reference": f"RF-{call.order}", "note": "Paid to the customer's bank account."}
    return FormContext(example=example, facts=tuple(facts))


# --- gate 8 ----------------------------------------------------------------------------------------------------------


@operation("payment.submission", worth=("total", "value_together"))
def submission(call: Call) -> Mapping[str, Any]:
    """What the approver of the payment signs: the invoice and the money that came for it.

    No times and no refunds under way, which would change by themselves and make every page stale.
    """
    order = load_order(call.session, call.order)
    papers, movements = papers_of(call.session, call.order), payments_of(call.session, call.order)
    invoice = newest_of(papers)

    def money(amount: int) -> Mapping[str, Any]:
        return as_json(amount, order.currency)

    return {
        "order": order.number,
        "customer": order.customer_name,
        "invoice": invoice.number if invoice else None,
        "lines": [
            {
                "sku": line.sku,
                "name": line.name,
                "quantity": line.quantity,
                "unit_price": money(line.unit_price),
                "discount": money(line.discount),
                "net": money(line.net),
            }
            for line in (invoice.lines if invoice else ())
        ],
        "discount": money(invoice.discount if invoice else 0),
        "tax": {
            "name": invoice.tax_name if invoice else "",
            "rate": format_rate(invoice.tax_rate_bp if invoice else 0),
            "amount": money(invoice.tax if invoice else 0),
        },
        "total": money(invoice.total if invoice else 0),
        "captured": [
            {"method": row.method, "reference": row.reference, "amount": money(row.amount)}
            for row in movements
            if row.kind == "capture" and row.state == "done"
        ],
        "due": money(balance_of(papers, movements).due),
        **together_signed(known_together(call), order),
    }
