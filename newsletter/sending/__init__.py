"""Email + audience -> requests to SendGrid, each recorded before and after it leaves."""
