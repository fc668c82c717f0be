"""What can be asked of Kitwai: a step, a scaling, an approval, a promotion, a replay."""
